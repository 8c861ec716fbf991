//! A few rows in one statement: the bytes that COPY would get, as one array a column.
//!
//! A COPY has a round trip more, and ends with two messages in a row: over a connection that is left with Nagle's algorithm, as sqlx 0.9.0
//! leaves it (its issue 4335), the second waits for the server's delayed acknowledgement of the first, some 40 ms.

use sqlx::{
    AssertSqlSafe, Column, Encode, Executor, PgConnection, Postgres, SqlSafeStr, Statement, Type,
    TypeInfo,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgTypeInfo, types::Oid},
};

use super::{CopyBuffer, NULL};

const DIMENSIONS: i32 = 1;
const MAY_HOLD_NULLS: i32 = 1;
const FIRST_INDEX: i32 = 1;
/// Has Postgres infer the type, from the cast that the statement has.
const INFERRED: Oid = Oid(0);

pub(super) async fn insert_rows<R>(
    connection: &mut PgConnection,
    into: &str,
    rows: impl ExactSizeIterator<Item = R>,
    serialise: impl Fn(R, &mut CopyBuffer),
) -> sqlx::Result<u64> {
    let count = rows.len();
    let mut buffer = CopyBuffer::default();
    rows.for_each(|row| serialise(row, &mut buffer));
    let types = column_types(connection, into).await?;
    let casts: Vec<String> = std::iter::zip(1.., &types)
        .map(|(number, of)| format!("${number}::{}[]", of.name()))
        .collect();
    let statement = format!(
        "insert into {into} select * from unnest({})",
        casts.join(", ")
    );
    // Safe: a constant, and names of types.
    let mut insert = sqlx::query(AssertSqlSafe(statement));
    for column in columns(&buffer.bytes, &types, count) {
        insert = insert.bind(column);
    }
    Ok(insert.execute(connection).await?.rows_affected())
}

/// What Postgres knows of the columns; asked once a connection.
async fn column_types(connection: &mut PgConnection, into: &str) -> sqlx::Result<Vec<PgTypeInfo>> {
    let (table, columns) = into
        .trim_end_matches(')')
        .split_once('(')
        .expect("a table and its columns");
    let statement = AssertSqlSafe(format!("select {columns} from {table}"));
    let prepared = connection.prepare(statement.into_sql_str()).await?;
    let columns = prepared.columns().iter();
    Ok(columns.map(|column| column.type_info().clone()).collect())
}

/// An array in Postgres' binary format; what type it has the statement says.
struct Array(Vec<u8>);

impl Type<Postgres> for Array {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(INFERRED)
    }
}

impl Encode<'_, Postgres> for Array {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
}

/// Rows turned round. The layout of an array is that of Postgres' `array_send`; its elements are laid out as a row's fields.
fn columns(mut rows: &[u8], types: &[PgTypeInfo], count: usize) -> Vec<Array> {
    let length = i32::try_from(count).expect("few rows");
    let mut columns: Vec<Array> = types
        .iter()
        .map(|of| {
            let element = of.oid().expect("a type that was read from Postgres");
            let mut bytes = Vec::with_capacity(rows.len() / types.len());
            for number in [DIMENSIONS, MAY_HOLD_NULLS] {
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            bytes.extend_from_slice(&element.0.to_be_bytes());
            for number in [length, FIRST_INDEX] {
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            Array(bytes)
        })
        .collect();
    while let Some((_width, fields)) = rows.split_first_chunk::<{ size_of::<i16>() }>() {
        rows = fields;
        for Array(column) in &mut columns {
            let (field, others) = rows.split_at(field_bytes(rows));
            column.extend_from_slice(field);
            rows = others;
        }
    }
    columns
}

/// Of the first field, its length included.
fn field_bytes(fields: &[u8]) -> usize {
    let (length, _) = fields
        .split_first_chunk()
        .expect("a row has as many fields as columns");
    match i32::from_be_bytes(*length) {
        NULL => size_of::<i32>(),
        length => size_of::<i32>() + usize::try_from(length).expect("a length"),
    }
}
