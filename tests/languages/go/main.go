// A client in Go for languages.test.js, which says what it does: github.com/tursodatabase/libsql-client-go with database/sql.
package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/tursodatabase/libsql-client-go/libsql"
)

const insert = "INSERT INTO items (name, data) VALUES (?, ?)"

func count(db *sql.DB) int {
	var found int
	must(db.QueryRow("SELECT count(*) FROM items").Scan(&found))
	return found
}

// In a transaction that commits, or rolls back.
func together(db *sql.DB, name string, commit bool) {
	transaction, err := db.BeginTx(context.Background(), nil)
	must(err)
	_, err = transaction.Exec(insert, name, nil)
	must(err)
	if commit {
		must(transaction.Commit())
	} else {
		must(transaction.Rollback())
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func check(holds bool, what string) {
	if !holds {
		must(errors.New(what))
	}
}

func main() {
	connector, err := libsql.NewConnector(os.Args[1], libsql.WithAuthToken(os.Args[2]))
	must(err)
	db := sql.OpenDB(connector)
	defer db.Close()

	_, err = db.Exec("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, data BLOB)")
	must(err)
	result, err := db.Exec(insert, "snow ☃", []byte{0, 255})
	must(err)
	id, err := result.LastInsertId()
	must(err)
	check(id == 1, "the id of what was inserted")
	var name string
	var data []byte
	must(db.QueryRow("SELECT name, data FROM items WHERE id = ?", id).Scan(&name, &data))
	check(name == "snow ☃" && bytes.Equal(data, []byte{0, 255}), "values come back as they were")
	_, err = db.Exec(insert, "snow ☃", nil)
	check(err != nil && strings.Contains(err.Error(), "UNIQUE"), "a constraint holds")
	together(db, "taken back", false)
	check(count(db) == 1, "what was rolled back is gone")
	fmt.Println("ready")

	rounds := bufio.NewScanner(os.Stdin)
	for rounds.Scan() {
		_, err = db.Exec(insert, rounds.Text()+" alone", nil)
		must(err)
		together(db, rounds.Text()+" in a transaction", true)
		together(db, rounds.Text()+" taken back", false)
		fmt.Println(count(db))
	}
}
