//! What a pass changed, in words.

use frit_passes::legality::residual;
use frit_passes::report::{Edit, Residual};

/// `edit` as a line without its end.
pub fn edit(edit: &Edit) -> String {
    match edit {
        Edit::Dropped(Residual { at, main, shortcut, .. }) => {
            format!("dropped the residual edge from {shortcut} into {at}: {main} goes on alone")
        }
        Edit::Projected { residual: Residual { at, shortcut, shapes, .. }, projection, stride } => {
            let [to, from] = shapes.each_ref().map(|shape| shape.channels());
            let stride = residual::spelled(*stride);
            format!(
                "inserted the projection {projection} from {shortcut} into {at}: conv 1x1, {from}→{to}, stride {stride}"
            )
        }
        Edit::Inserted { residual: Residual { at, main, shortcut, .. }, output } => {
            let renamed = if *output { format!("; the output {main} is now {at}") } else { String::new() };
            format!("inserted the residual {at} of {shortcut} and {main}{renamed}")
        }
        Edit::Fused { kernel, layers } => format!("{kernel} from {}", layers.join(", ")),
        Edit::Unneeded { layer } => format!("{layer} dropped: no output needs it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frit_ir::Shape;

    #[test]
    fn an_inserted_residual_says_where_an_output_has_another_name() {
        let [at, main, shortcut] = ["c/add", "c/project", "b/add"].map(str::to_owned);
        let shapes = [Shape::new(&[4, 4, 4]), Shape::new(&[4, 4, 4])];
        let inserted = |output| Edit::Inserted {
            residual: Residual {
                at: at.clone(),
                main: main.clone(),
                shortcut: shortcut.clone(),
                shapes: shapes.clone(),
            },
            output,
        };
        assert_eq!(edit(&inserted(false)), "inserted the residual c/add of b/add and c/project");
        assert_eq!(
            edit(&inserted(true)),
            "inserted the residual c/add of b/add and c/project; the output c/project is now c/add"
        );
    }
}
