package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// busyTimeout is how long a write waits for another process.
	busyTimeout = 5 * time.Second
	// readConns bounds the queries that run at a time, and with them the memory.
	readConns = 4
)

var (
	errReplaced = errors.New("the file was moved, deleted or replaced while it was open: restart")
	errNoFile   = errors.New("there is no such file: name another; 'todoctl serve' and 'todoctl migrate up' create one")
)

// A sqliteDB is a SQLite file: one connection that writes, some that read and
// never keep a checkpoint waiting for long.
type sqliteDB struct {
	path     string
	file     os.FileInfo // of the database when it was opened
	writer   *sql.DB
	reader   *sql.DB
	prepared statements
	turn     sync.Mutex // of the writer: database/sql serves those who wait in no order
}

func openSQLite(ctx context.Context, path string, how opening) (*sqliteDB, error) {
	db := &sqliteDB{path: path}
	err := db.open(ctx, how)
	if err != nil {
		_ = db.close() // the first error counts
		return nil, db.explain(err)
	}
	return db, nil
}

func (db *sqliteDB) open(ctx context.Context, how opening) error {
	if err := db.connect(how); err != nil {
		return err
	}
	if how == makeSchema {
		if _, err := migrateSQLite(ctx, db.writer); err != nil {
			return err
		}
	} else if err := checkSchema(ctx, db); err != nil {
		return err
	}
	return db.prepared.prepare(ctx, db.writer)
}

// connect makes the pools, whose connections are opened when they are first used.
func (db *sqliteDB) connect(how opening) error {
	if err := db.touch(how); err != nil {
		return err
	}
	var err error
	if db.writer, err = sql.Open("sqlite", dataSource(db.path, "_journal_mode", "WAL")); err != nil {
		return err
	}
	db.writer.SetMaxOpenConns(1)
	if db.reader, err = sql.Open("sqlite", dataSource(db.path, "_query_only", "1")); err != nil {
		return err
	}
	db.reader.SetMaxOpenConns(readConns)
	db.reader.SetMaxIdleConns(readConns)
	return nil
}

// touch creates the file where that is wanted, for its owner only since it holds
// people's tasks; SQLite gives the files beside it the same mode.
func (db *sqliteDB) touch(how opening) error {
	flags := os.O_RDWR
	if how == makeSchema {
		flags |= os.O_CREATE
	}
	file, err := os.OpenFile(db.path, flags, 0o600)
	if how == asItIs && errors.Is(err, fs.ErrNotExist) {
		return errNoFile
	}
	if err != nil {
		return err
	}
	defer file.Close()
	db.file, err = file.Stat()
	return err
}

// dataSource is a connection string of modernc.org/sqlite.
func dataSource(path, option, value string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	options := url.Values{
		"_busy_timeout":        {fmt.Sprint(busyTimeout.Milliseconds())},
		"_synchronous":         {"FULL"},
		"_foreign_keys":        {"1"},
		"_time_integer_format": {"unix_micro"},
		"_txlock":              {"immediate"},
		"_error_rc":            {"1"},
		"_pragma":              {"journal_size_limit(67108864)"},
		option:                 {value},
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: options.Encode()}).String()
}

func (db *sqliteDB) read(ctx context.Context, queries ...query) error {
	tx, err := db.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback() // it only read
	for _, q := range queries {
		if err := eachRow(ctx, tx, q); err != nil {
			return err
		}
	}
	return nil
}

func eachRow(ctx context.Context, tx *sql.Tx, q query) error {
	rows, err := tx.QueryContext(ctx, q.sql, q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := q.row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (db *sqliteDB) exec(ctx context.Context, statement string, args ...any) (int, error) {
	db.turn.Lock()
	defer db.turn.Unlock()
	result, err := db.writer.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

func (db *sqliteDB) returning(ctx context.Context, q query) error {
	db.turn.Lock()
	defer db.turn.Unlock()
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	if err := eachRow(ctx, tx, q); err != nil {
		return err
	}
	return tx.Commit()
}

func (*sqliteDB) dialect() dialect {
	return dialect{
		kind:      "sqlite",
		hasSchema: hasSchemaSQLite,
		contains:  "instr(%s, ?) > 0",
		hasTags:   "NOT EXISTS (SELECT value FROM json_each(?) EXCEPT SELECT value FROM json_each(tags))",
		without:   "o.id NOT IN (SELECT value FROM json_each($5))",
		list:      jsonList,
	}
}

func (*sqliteDB) sharedWriter() bool { return true }

func (db *sqliteDB) close() error {
	var errs []error
	for _, pool := range []*sql.DB{db.reader, db.writer} { // the writer last: it empties the WAL
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}

func (*sqliteDB) verdict(err error) verdict {
	var failure *sqlite.Error
	if errors.As(err, &failure) && failure.Code() == sqlite3.SQLITE_CONSTRAINT_NOTNULL {
		return unavailable // nothing here writes a null: a newer schema has a column more
	}
	switch code(err) {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
		return divide
	default:
		return unavailable
	}
}

// code is the primary result code of a SQLite error, 0 for another.
func code(err error) int {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return 0
	}
	return failure.Code() & 0xff
}

// explain makes one line of why a file can't be opened, with what to do.
func (db *sqliteDB) explain(err error) error {
	path := db.path
	cause, hint := strings.Join(strings.Fields(err.Error()), " "), "check the file"
	var file *fs.PathError
	if errors.As(err, &file) {
		cause = file.Err.Error()
	}
	switch {
	case errors.Is(err, errSchema), errors.Is(err, errBehind), errors.Is(err, errNoFile):
		return fmt.Errorf("open SQLite %s: %w", path, err)
	case errors.Is(err, fs.ErrNotExist):
		hint = "create the folder " + filepath.Dir(path)
	case errors.Is(err, fs.ErrPermission), code(err) == sqlite3.SQLITE_READONLY, code(err) == sqlite3.SQLITE_CANTOPEN:
		hint = "the file and its folder must be writable"
	case code(err) == sqlite3.SQLITE_NOTADB:
		hint = "name another file: this one isn't a SQLite database"
	case code(err) == sqlite3.SQLITE_BUSY:
		hint = "another process holds it: end that one or wait"
	}
	return &openError{fmt.Sprintf("open SQLite %s: %s: %s", path, cause, hint), err}
}
