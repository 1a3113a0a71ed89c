//! The queries that docs/sql.md shows, each by an index.

use rusqlite::Connection;
use sink_sql::migrate;

use crate::world::World;

/// The queries of the page, which are the same in all databases.
fn documented() -> Vec<String> {
    let page = include_str!("../../../../docs/sql.md");
    let blocks = page.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap());
    let code = blocks.flat_map(str::lines).filter(|line| !line.starts_with("--"));
    let code = code.collect::<Vec<_>>().join("\n");
    code.split(';').map(str::trim).filter(|query| !query.is_empty()).map(str::to_owned).collect()
}

#[test]
fn every_documented_query_uses_an_index() {
    let world = World::new();
    migrate(&world.settings("database")).unwrap();
    let database = Connection::open(world.file("database")).unwrap();
    let queries = documented();
    assert!(queries.len() >= 7, "{queries:?}");
    for query in queries {
        let mut statement = database.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let steps = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        let plan = steps.collect::<Result<Vec<_>, _>>().unwrap().join("; ");
        assert!(plan.contains("USING") && !plan.contains("SCAN"), "{query}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{query}\nis sorted: {plan}");
    }
}
