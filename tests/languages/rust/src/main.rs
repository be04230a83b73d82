// A client in Rust for languages.test.js, which says what it does: the crate libsql.
use libsql::{params, Builder, Connection, Result, TransactionBehavior};
use std::io::BufRead;

const INSERT: &str = "INSERT INTO items (name, data) VALUES (?, ?)";

async fn count(db: &Connection) -> Result<i64> {
    let mut rows = db.query("SELECT count(*) FROM items", ()).await?;
    rows.next().await?.expect("a row").get(0)
}

// In a transaction that commits, or rolls back.
async fn together(db: &Connection, name: String, commit: bool) -> Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).await?;
    transaction.execute(INSERT, params![name, libsql::Value::Null]).await?;
    if commit {
        transaction.commit().await
    } else {
        transaction.rollback().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let database = Builder::new_remote(arguments[1].clone(), arguments[2].clone()).build().await?;
    let db = database.connect()?;

    db.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, data BLOB)", ()).await?;
    db.execute(INSERT, params!["snow ☃", vec![0u8, 255]]).await?;
    assert_eq!(db.last_insert_rowid(), 1);
    let mut rows = db.query("SELECT name, data FROM items WHERE id = ?", [1]).await?;
    let row = rows.next().await?.expect("a row");
    assert_eq!(row.get::<String>(0)?, "snow ☃");
    assert_eq!(row.get::<Vec<u8>>(1)?, vec![0u8, 255]);
    let refused = db.execute(INSERT, params!["snow ☃", libsql::Value::Null]).await;
    assert!(refused.expect_err("a constraint holds").to_string().contains("UNIQUE"));
    together(&db, "taken back".into(), false).await?;
    assert_eq!(count(&db).await?, 1, "what was rolled back is gone");
    println!("ready");

    for round in std::io::stdin().lock().lines() {
        let name = round.expect("a line");
        db.execute(INSERT, params![format!("{name} alone"), libsql::Value::Null]).await?;
        together(&db, format!("{name} in a transaction"), true).await?;
        together(&db, format!("{name} taken back"), false).await?;
        println!("{}", count(&db).await?);
    }
    Ok(())
}
