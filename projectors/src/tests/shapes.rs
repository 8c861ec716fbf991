//! A projection whose tables change is of another shape, or an older version would be fed with what it has no room for.

use uuid::Uuid;

use crate::{Projection, ProjectionName, names::OnProjection};

/// Of each shape that there ever was: projection, shape, and a hash of its DDL.
const KNOWN: &str = include_str!("shapes.txt");

struct Line;

impl OnProjection for Line {
    type Output = String;

    fn on<P: Projection>(self) -> String {
        let ddl = [P::TABLES, P::INDEXES].concat();
        let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, ddl.as_bytes());
        format!("{} {} {hash}", P::NAME, P::SHAPE)
    }
}

#[test]
fn whoever_changes_tables_raises_the_shape() {
    let unknown: Vec<String> = ProjectionName::ALL
        .map(|name| name.on(Line))
        .into_iter()
        .filter(|line| !KNOWN.lines().any(|known| known == line))
        .collect();
    assert!(
        unknown.is_empty(),
        "the DDL of these is new: raise their SHAPE, and add to shapes.txt what this test then says; where nothing but a comment has \
         changed, put it in the place of the old line:\n{}",
        unknown.join("\n")
    );
}

#[test]
fn no_shape_is_used_twice() {
    let shape = |line: &'static str| line.rsplit_once(' ').map(|(shape, _)| shape);
    let mut shapes: Vec<&str> = KNOWN.lines().filter_map(shape).collect();
    assert_eq!(shapes.len(), KNOWN.lines().count());
    shapes.sort_unstable();
    assert!(
        shapes.windows(2).all(|pair| pair[0] != pair[1]),
        "{shapes:?}"
    );
}

/// Deployed together, they have to go together.
#[test]
fn the_query_api_reads_what_these_projectors_make() {
    let mut made = ProjectionName::ALL.map(|name| (name.as_str(), name.shape()));
    made.sort_unstable();
    assert_eq!(query_api::SHAPES, made);
}
