//! Which tables and columns a version has.

use std::{borrow::Cow, collections::BTreeMap};

use super::Side;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// For SQL.
    pub(super) quoted: String,
    kind: String,
    pub(super) is_key: bool,
}

impl Column {
    /// As what Postgres has a hash for. Of `json` it has none: two values are the same where their text is, which is as
    /// the projector wrote it.
    pub(super) fn hashed(&self) -> Cow<'_, str> {
        match &*self.kind {
            "json" => format!("{}::text", self.quoted).into(),
            _ => (&*self.quoted).into(),
        }
    }
}

/// Of each table, its columns in their order.
pub(super) async fn tables(side: &mut Side<'_>) -> sqlx::Result<BTreeMap<String, Vec<Column>>> {
    let rows = sqlx::query!(
        r#"select c.relname::text as "table!", a.attname::text as "name!", quote_ident(a.attname) as "quoted!",
               format_type(a.atttypid, a.atttypmod) as "kind!", coalesce(a.attnum = any(i.indkey), false) as "is_key!"
           from pg_class c
           join pg_namespace n on n.oid = c.relnamespace
           join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
           left join pg_index i on i.indrelid = c.oid and i.indisprimary
           where n.nspname = $1 and c.relkind = 'r'
           order by c.relname, a.attnum"#,
        side.schema,
    )
    .fetch_all(&mut *side.connection)
    .await?;
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in rows {
        tables.entry(row.table).or_default().push(Column {
            name: row.name,
            quoted: row.quoted,
            kind: row.kind,
            is_key: row.is_key,
        });
    }
    Ok(tables)
}
