//! Two versions of the same tables, row by row: which keys differ, and in which columns.
//!
//! Rows are hashed by Postgres, in buckets of keys, so that tables that are equal cost one scan each and send next to
//! nothing. Only of buckets that differ the rows' checksums are read, in the order of their keys and side by side, so that
//! memory stays bounded however many rows there are. The SQL is made from the catalogue, since it is about whatever tables
//! a projection has (docs/adr/0008-verified-rebuilds.md).

mod catalogue;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;
use serde_json::{Value, value::RawValue};
use sqlx::{AssertSqlSafe, PgConnection, types::Json};

use self::catalogue::{Column, tables};
use super::{gate::Gate, meter::Meter};

/// So many are listed; the others are counted.
const MAX_LISTED: usize = 1_000;
/// So much of a table is read by one statement, in blocks of, nearly always, 8 KiB.
const BLOCKS_AT_ONCE: usize = 1_024;
/// Keys are spread over so many checksums.
const BUCKETS: i64 = 4_096;

/// One version's tables, as this connection's transaction sees them.
pub(super) struct Side<'a> {
    pub(super) connection: &'a mut PgConnection,
    pub(super) schema: &'a str,
}

/// Which rows to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those of both.
    AllRows,
    /// Only those that the new version has, which is made of a part of the log.
    NewRows,
}

/// What comparing has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Rows of the new version.
    pub rows: u64,
    /// Keys whose rows differ, missing and additional ones included.
    pub differing: u64,
    /// The first of them, by table and key.
    pub differences: Vec<Difference>,
    /// Columns and tables that only one of the two has, or that changed their type: not compared.
    pub not_compared: BTreeSet<String>,
}

/// A row that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Table.
    pub table: String,
    /// The primary key's columns.
    pub key: Vec<Value>,
    /// What is different about it.
    pub row: Differing,
}

/// How a row differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Differing {
    /// The new version has none.
    Missing,
    /// The live version has none.
    Additional,
    /// In these columns: the live value and the new one.
    Columns(BTreeMap<String, (Value, Value)>),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key: Vec<String> = self.key.iter().map(ToString::to_string).collect();
        write!(f, "{} {}: ", self.table, key.join(", "))?;
        match &self.row {
            Differing::Missing => f.write_str("missing in the new version"),
            Differing::Additional => f.write_str("only in the new version"),
            Differing::Columns(columns) => {
                let changes = columns
                    .iter()
                    .map(|(column, (live, new))| format!("{column} {live} is now {new}"));
                f.write_str(&changes.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// Compares all tables.
pub(super) async fn compare(
    live: &mut Side<'_>,
    new: &mut Side<'_>,
    scope: Scope,
    gate: &Gate,
    meter: &Meter,
) -> Result<Comparison, sqlx::Error> {
    let mut comparison = Comparison::default();
    let olds = tables(live).await?;
    let news = tables(new).await?;
    let names: BTreeSet<&String> = olds.keys().chain(news.keys()).collect();
    let mut common = Vec::new();
    for name in names {
        let table = match (olds.get(name), news.get(name)) {
            (Some(old), Some(new)) => Table::common(name, old, new, &mut comparison.not_compared),
            _ => None,
        };
        let Some(table) = table else {
            comparison.not_compared.insert(name.clone());
            continue;
        };
        let blocks = [table.blocks(live).await?, table.blocks(new).await?];
        meter.blocks.expect(blocks.iter().sum());
        common.push((table, blocks));
    }
    for (table, [old_blocks, new_blocks]) in common {
        // One after the other: what else is on the machine is live.
        let digests = [
            table.digest(live, old_blocks, gate, meter).await?,
            table.digest(new, new_blocks, gate, meter).await?,
        ];
        table
            .compare(live, new, &digests, scope, &mut comparison)
            .await?;
    }
    Ok(comparison)
}

/// What two versions of a table have in common, as SQL.
struct Table {
    name: String,
    key: String,
    /// The common ones, to be hashed.
    columns: String,
    names: Vec<String>,
}

/// A row's columns, as Postgres writes them in JSON.
type Columns = BTreeMap<String, Box<RawValue>>;

/// Of one bucket: how many rows it has, and what they come to.
type Digest = BTreeMap<i32, (i64, i64)>;

impl Table {
    /// None where their keys are not the same.
    fn common(
        name: &str,
        old: &[Column],
        new: &[Column],
        not_compared: &mut BTreeSet<String>,
    ) -> Option<Self> {
        let keys = |columns: &[Column]| -> Vec<Column> {
            columns
                .iter()
                .filter(|column| column.is_key)
                .cloned()
                .collect()
        };
        let key = keys(new);
        if key.is_empty() || key != keys(old) {
            return None;
        }
        let is_in = |columns: &[Column], column: &Column| columns.contains(column);
        let lost = old.iter().filter(|column| !is_in(new, column));
        let gained = new.iter().filter(|column| !is_in(old, column));
        not_compared.extend(
            lost.chain(gained)
                .map(|column| format!("{name}.{}", column.name)),
        );
        let common: Vec<&Column> = new.iter().filter(|column| is_in(old, column)).collect();
        let quoted: Vec<&str> = key.iter().map(|column| &*column.quoted).collect();
        let hashed: Vec<_> = common.iter().map(|column| column.hashed()).collect();
        Some(Self {
            name: name.to_owned(),
            key: quoted.join(", "),
            columns: hashed.join(", "),
            names: common.iter().map(|column| column.name.clone()).collect(),
        })
    }

    async fn compare(
        &self,
        live: &mut Side<'_>,
        new: &mut Side<'_>,
        [old_digest, new_digest]: &[Digest; 2],
        scope: Scope,
        comparison: &mut Comparison,
    ) -> sqlx::Result<()> {
        let rows: i64 = new_digest.values().map(|(rows, _)| rows).sum();
        comparison.rows += rows.unsigned_abs();
        let mut buckets: BTreeSet<i32> = new_digest.keys().copied().collect();
        if scope == Scope::AllRows {
            buckets.extend(old_digest.keys());
        }
        let differs = |bucket: &i32| old_digest.get(bucket) != new_digest.get(bucket);
        let buckets: Vec<i32> = buckets.into_iter().filter(differs).collect();
        if buckets.is_empty() {
            return Ok(());
        }
        let listed = self.merge(live, new, scope, &buckets, comparison).await?;
        self.list(live, new, listed, comparison).await
    }

    /// How many there are. What is added to the table from here on no snapshot of before sees.
    async fn blocks(&self, side: &mut Side<'_>) -> sqlx::Result<i64> {
        // Safe, here and below: names from the catalogue, quoted by Postgres; a schema's and its tables' are of our making.
        let statement = format!(
            "select pg_relation_size('{}.{}') / current_setting('block_size')::bigint",
            side.schema, self.name
        );
        sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_one(&mut *side.connection)
            .await
    }

    /// A scan of the whole table, a piece at a time, answered in some thousand numbers.
    async fn digest(
        &self,
        side: &mut Side<'_>,
        blocks: i64,
        gate: &Gate,
        meter: &Meter,
    ) -> sqlx::Result<Digest> {
        let Self { name, columns, .. } = self;
        let schema = side.schema;
        let mut digest = Digest::new();
        for first in (0..blocks).step_by(BLOCKS_AT_ONCE) {
            gate.pass().await;
            let end = blocks.min(first + BLOCKS_AT_ONCE as i64);
            let statement = format!(
                "select {bucket} as bucket, count(*), bit_xor(hash_record_extended(row({columns}), 0))
                 from {schema}.{name} where ctid >= '({first},0)' and ctid < '({end},0)' group by 1",
                bucket = self.bucket(),
            );
            let rows: Vec<(i32, i64, i64)> = sqlx::query_as(AssertSqlSafe(statement))
                .persistent(false)
                .fetch_all(&mut *side.connection)
                .await?;
            for (bucket, rows, checksum) in rows {
                let (all_rows, all) = digest.entry(bucket).or_default();
                *all_rows += rows;
                *all ^= checksum;
            }
            meter.blocks.done(end - first);
        }
        Ok(digest)
    }

    fn bucket(&self) -> String {
        format!(
            "(hash_record_extended(row({}), 0) & {})::integer",
            self.key,
            BUCKETS - 1
        )
    }

    /// Walks both sides in the order of their keys; answers the keys to list.
    async fn merge(
        &self,
        live: &mut Side<'_>,
        new: &mut Side<'_>,
        scope: Scope,
        buckets: &[i32],
        comparison: &mut Comparison,
    ) -> sqlx::Result<Vec<String>> {
        use futures::TryStreamExt;
        let of_side = |schema: &str| {
            let Self {
                name, key, columns, ..
            } = self;
            format!(
                "select jsonb_build_array({key})::text collate \"C\", hash_record_extended(row({columns}), 0)
                 from {schema}.{name} where {bucket} = any($1) order by 1",
                bucket = self.bucket(),
            )
        };
        let (of_live, of_new) = (of_side(live.schema), of_side(new.schema));
        let mut olds = sqlx::query_as::<_, (String, i64)>(AssertSqlSafe(of_live))
            .bind(buckets)
            .fetch(&mut *live.connection);
        let mut news = sqlx::query_as::<_, (String, i64)>(AssertSqlSafe(of_new))
            .bind(buckets)
            .fetch(&mut *new.connection);
        let (mut old, mut new) = (olds.try_next().await?, news.try_next().await?);
        let mut listed = Vec::new();
        loop {
            let order = match (&old, &new) {
                (None, None) => return Ok(listed),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
            };
            let (of_old, of_new) = (
                if order.is_le() {
                    std::mem::replace(&mut old, olds.try_next().await?)
                } else {
                    None
                },
                if order.is_ge() {
                    std::mem::replace(&mut new, news.try_next().await?)
                } else {
                    None
                },
            );
            if of_old == of_new || (of_new.is_none() && scope == Scope::NewRows) {
                continue;
            }
            comparison.differing += 1;
            if comparison.differences.len() + listed.len() < MAX_LISTED {
                listed.extend(of_old.or(of_new).map(|(key, _)| key));
            }
        }
    }

    async fn list(
        &self,
        live: &mut Side<'_>,
        new: &mut Side<'_>,
        keys: Vec<String>,
        comparison: &mut Comparison,
    ) -> sqlx::Result<()> {
        let mut olds = self.rows(live, &keys).await?;
        let mut news = self.rows(new, &keys).await?;
        for key in keys {
            let row = match (olds.remove(&key), news.remove(&key)) {
                (Some(old), Some(new)) => Differing::Columns(self.differing_columns(&old, &new)),
                (Some(_), None) => Differing::Missing,
                (None, _) => Differing::Additional,
            };
            comparison.differences.push(Difference {
                table: self.name.clone(),
                key: serde_json::from_str(&key).unwrap_or_else(|_| vec![Value::String(key)]),
                row,
            });
        }
        Ok(())
    }

    async fn rows(
        &self,
        side: &mut Side<'_>,
        keys: &[String],
    ) -> sqlx::Result<BTreeMap<String, Columns>> {
        let Self { name, key, .. } = self;
        let statement = format!(
            "select jsonb_build_array({key})::text, to_json(t) from {schema}.{name} t
             where jsonb_build_array({key})::text = any($1)",
            schema = side.schema,
        );
        let rows: Vec<(String, Json<Columns>)> = sqlx::query_as(AssertSqlSafe(statement))
            .bind(keys)
            .fetch_all(&mut *side.connection)
            .await?;
        let entries = rows.into_iter().map(|(key, Json(columns))| (key, columns));
        Ok(entries.collect())
    }

    fn differing_columns(&self, old: &Columns, new: &Columns) -> BTreeMap<String, (Value, Value)> {
        let values = self
            .names
            .iter()
            .map(|name| (name, old[name].get(), new[name].get()));
        values
            .filter(|(_, old, new)| old != new)
            .map(|(name, old, new)| (name.clone(), (value(old), value(new))))
            .collect()
    }
}

/// What cannot be read is shown as it is written.
fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.to_owned()))
}
