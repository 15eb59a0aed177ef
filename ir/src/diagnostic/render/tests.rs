//! The form that people read and scripts rely on.

use super::*;
use crate::diagnostic::codes;

fn residual() -> Diagnostic {
    let place = Place { file: "net.json".into(), ..Place::default() };
    Diagnostic::error(codes::RESIDUAL_SHAPES, "residual add joins different shapes")
        .at("add_1 (Add)")
        .in_file(place)
        .operand("main path", "bneck2/project", "128x128x16 → stride 2 → 64x64x24")
        .operand("shortcut", "bneck1/add", "128x128x16")
        .note("a residual is the identity only where stride is 1 and channels match (here stride 2, 16 → 24)")
        .help_flag("drop the edge", "--residual drop", "what MobileNetV2 and V3 do")
        .help_flag(
            "insert 1x1 projection",
            "--residual project",
            "what ResNet does: conv 1x1, 16→24, stride 2",
        )
}

#[test]
fn text_stands_in_columns() {
    let expected = "\
error[FR0201]: residual add joins different shapes
  ┌ add_1 (Add) of net.json
  │   main path  bneck2/project  128x128x16 → stride 2 → 64x64x24
  │   shortcut   bneck1/add      128x128x16
  = a residual is the identity only where stride is 1 and channels match (here stride 2, 16 → 24)
  = help: drop the edge            --residual drop       (what MobileNetV2 and V3 do)
  = help: insert 1x1 projection    --residual project    (what ResNet does: conv 1x1, 16→24, stride 2)";
    assert_eq!(text(&residual()), expected);
}

#[test]
fn the_place_says_all_that_is_known_and_no_more() {
    let fault = Diagnostic::error(codes::UNKNOWN_FIELD, "no such field");
    assert_eq!(text(&fault), "error[FR0003]: no such field");
    let mut place = Place { line: Some(3), column: Some(7), ..Place::default() };
    assert!(text(&fault.clone().in_file(place.clone())).ends_with("\n  ┌ line 3:7"));
    place.file = "net.json".into();
    place.path = "/layers/3".into();
    assert!(text(&fault.clone().in_file(place.clone())).ends_with("\n  ┌ net.json:3:7 (/layers/3)"));
    let whole = fault.at("a").in_file(place);
    assert!(text(&whole).ends_with("\n  ┌ a of net.json:3:7 (/layers/3)"));
    assert!(text(&whole.help("write b")).ends_with("\n  = help: write b"));
}

#[test]
fn a_name_cant_write_to_the_terminal() {
    let fault = Diagnostic::warning(codes::BAD_VALUE, "a\nb").at("\u{1b}[2J\u{202e}").operand("x", "\r", "1");
    let shown = text(&fault);
    assert_eq!(shown, "warning[FR0004]: a\\nb\n  ┌ \\u{1b}[2J\\u{202e}\n  │   x  \\r  1");
}

#[test]
fn json_is_one_line_with_the_promised_fields() {
    let expected = r#"{"code":"FR0201","severity":"error","message":"residual add joins different shapes","#
        .to_owned()
        + r#""layers":["add_1","bneck2/project","bneck1/add"],"#
        + r#""shapes":["128x128x16 → stride 2 → 64x64x24","128x128x16"],"#
        + r#""help":[{"text":"drop the edge","flag":"--residual drop"},"#
        + r#"{"text":"insert 1x1 projection","flag":"--residual project"}],"#
        + r#""place":{"file":"net.json","line":null,"column":null,"path":""}}"#;
    assert_eq!(json(&residual()), expected);
    let bare = json(&Diagnostic::warning(codes::LIMIT, "two\nlines").help("less"));
    let expected = r#"{"code":"FR0010","severity":"warning","message":"two\nlines","layers":[],"shapes":[],"#
        .to_owned()
        + r#""help":[{"text":"less","flag":null}],"place":null}"#;
    assert_eq!(bare, expected);
}

#[test]
fn faults_show_one_after_another() {
    let mut faults = Faults::from(Diagnostic::error(codes::CYCLE, "a"));
    faults.push(Diagnostic::error(codes::CYCLE, "b"));
    assert_eq!(faults.to_string(), "error[FR0008]: a\nerror[FR0008]: b");
}
