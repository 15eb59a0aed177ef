//! Which files are models.

use std::fs;
use std::path::Path;

use frit_ir::diagnostic::codes;
use frit_ir::{Faults, Graph};

use super::files::inside;
use super::*;

const MODEL: &str =
    "{\"frit\": 1, \"input\": {\"shape\": [2]}, \"weights\": {\"seed\": 1}, \"layers\": [\"relu\"]}";

fn only_code(result: Result<(Graph, Faults), Faults>) -> codes::Code {
    let faults = result.unwrap_err();
    assert_eq!(faults.iter().count(), 1, "{faults}");
    faults.iter().next().unwrap().code
}

#[test]
fn a_description_is_known_by_its_ending_and_gives_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.JSON");
    fs::write(&path, MODEL).unwrap();
    let (graph, _) = load(&path, &Request::default()).unwrap();
    assert_eq!(graph.name, "tiny");
    for name in ["tiny.pb", "tiny", "tiny.json.zip"] {
        let path = folder.path().join(name);
        fs::write(&path, MODEL).unwrap();
        assert_eq!(only_code(load(&path, &Request::default())), codes::FILE_UNREADABLE);
    }
}

#[test]
fn what_can_not_be_read_is_told_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    let faults = load(&path, &Request::default()).unwrap_err();
    let fault = faults.iter().next().unwrap();
    assert_eq!((fault.code, fault.place.file.as_str()), (codes::FILE_UNREADABLE, path.to_str().unwrap()));
    fs::create_dir(&path).unwrap();
    assert_eq!(only_code(load(&path, &Request::default())), codes::FILE_UNREADABLE);
    fs::remove_dir(&path).unwrap();
    fs::write(&path, b"{\"frit\": \xff}").unwrap();
    assert_eq!(only_code(load(&path, &Request::default())), codes::JSON_SYNTAX);
}

#[test]
fn a_file_that_is_named_stays_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(folder.path().join("sub/w"), "").unwrap();
    assert!(inside(folder.path(), "sub/w", &[]).is_ok());
    for outside in ["", ".", "..", "sub/../sub/w", "/etc/passwd", "sub\\w", "sub/missing"] {
        assert!(inside(folder.path(), outside, &[]).is_err(), "{outside}");
    }
}

#[test]
fn a_file_that_is_to_be_written_is_refused_under_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("w"), "").unwrap();
    fs::write(path("other"), "").unwrap();
    fs::hard_link(path("w"), path("hard")).unwrap();
    std::os::unix::fs::symlink("w", path("link")).unwrap();
    let written = [Identity::of(&path("w")).unwrap()];
    for name in ["w", "hard", "link"] {
        let reason = inside(folder.path(), name, &written).unwrap_err();
        assert!(reason.contains("to be written"), "{name}: {reason}");
    }
    assert!(inside(folder.path(), "other", &written).is_ok());
    assert_eq!(Identity::of(Path::new("/dev/null")), None);
    assert_eq!(Identity::of(&path("none")), None);
}

#[test]
fn a_given_shape_names_its_input_or_not() {
    let shape = |text: &str| text.parse::<GivenShape>();
    let axes = vec![1, 224, 200, 3];
    assert_eq!(
        shape("a=b:0=1x224x200x3"),
        Ok(GivenShape { input: Some("a=b:0".into()), axes: axes.clone() })
    );
    assert_eq!(shape("1x224x200x3"), Ok(GivenShape { input: None, axes }));
    for wrong in ["", "=1x2", "a=", "1x0", "1x-2", "1xx2", "1x99999999999999999999"] {
        assert!(shape(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_description_takes_no_shape() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    fs::write(&path, MODEL).unwrap();
    let request = Request { shapes: vec!["1x2".parse().unwrap()], ..Request::default() };
    assert_eq!(only_code(load(&path, &request)), codes::BAD_VALUE);
}
