package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/todoctl/todoctl/internal/store"
)

// databaseChecks are the checks of database and state store.
func (s *subject) databaseChecks() []Check {
	return []Check{
		{
			ID: "database.open", Severity: Error, Title: "the database can be opened",
			Symptom: "`todoctl serve` doesn't start, or answers 503", Cause: "it is down, the password is wrong, it doesn't exist, or the file can't be read",
			Mend: "correct --database, or start the database", After: []string{"environment.docker", "environment.disk", "environment.running"}, Run: s.checkDatabase,
		},
		{
			ID: "database.schema", Severity: Error, Title: "the database's schema is this todoctl's",
			Symptom: "`its schema has version 1, this todoctl needs 2`", Cause: "another version of todoctl has migrated it",
			Mend: "todoctl migrate up", Needs: []string{"database.open"}, Run: s.checkSchema,
		},
		{
			ID: "database.durable", Severity: Warning, Title: "PostgreSQL keeps what it has committed",
			Symptom: "after a power failure tasks are gone, or the database doesn't start", Cause: "fsync or full_page_writes is off",
			Mend: "ALTER SYSTEM SET fsync = on, ALTER SYSTEM SET full_page_writes = on, and SELECT pg_reload_conf()", Needs: []string{"database.open"}, Run: s.checkDurable,
		},
		{
			ID: "database.redis", Severity: Error, Title: "the Redis of the components answers",
			Symptom: "`redis store: error connecting to redis`, and daprd ends", Cause: "Redis is down, or its password is wrong",
			Mend: "docker compose up -d redis, or correct redisHost and redisPassword", After: []string{"environment.docker", "files"}, Run: s.checkRedis,
		},
	}
}

// expectsDatabase tells whether there should be one by now.
func (s *subject) expectsDatabase() bool {
	if s.Database.Chosen || s.runs() {
		return true
	}
	_, err := os.Stat(strings.TrimPrefix(s.Database.Value, "sqlite:"))
	return err == nil && !s.Foreign
}

func (s *subject) checkDatabase(ctx context.Context) Result {
	if !s.expectsDatabase() {
		return skipped("there is no database yet")
	}
	ctx, cancel := context.WithTimeout(ctx, 2*dialTimeout)
	defer cancel()
	var err error
	if s.schema, err = store.ReadSchema(ctx, s.databaseURL()); err != nil {
		return found(Finding{
			Message:  fmt.Sprintf("The database can't be used: %v.", err),
			Evidence: facts("database", store.Describe(s.databaseURL()), "from", s.Database.Source),
		})
	}
	return Result{}
}

// databaseURL is that of the settings; a running stack on SQLite tells its own.
func (s *subject) databaseURL() string {
	if path, ok := strings.CutPrefix(s.run.Database, "SQLite "); ok && s.runs() && !s.Database.Chosen {
		return path
	}
	return s.Database.Value
}

func (s *subject) checkSchema(context.Context) Result {
	if s.schema.UpToDate() || (s.schema.Version == 0 && !s.api()) { // serve makes it
		return Result{}
	}
	f := Finding{
		Message:  fmt.Sprintf("The database's schema has version %d, and this todoctl needs %d.", s.schema.Version, s.schema.Known),
		Evidence: facts("database", store.Describe(s.databaseURL()), "found", fmt.Sprint(s.schema.Version), "wanted", fmt.Sprint(s.schema.Known)),
	}
	if s.schema.Version > s.schema.Known {
		f.Mend = "use the todoctl that migrated it, or a newer one"
	}
	return found(f)
}

func (s *subject) checkDurable(ctx context.Context) Result {
	risks, err := store.ReadRisks(ctx, s.databaseURL())
	if err != nil {
		return skipped("the server's settings can't be read: " + err.Error())
	}
	if len(risks) == 0 {
		return Result{}
	}
	var set []string
	for _, name := range risks {
		set = append(set, "ALTER SYSTEM SET "+name+" = on")
	}
	return found(Finding{
		Message:  fmt.Sprintf("PostgreSQL runs with %s off, so a crash of its machine can lose what it has committed.", strings.Join(risks, " and ")),
		Evidence: facts("database", store.Describe(s.databaseURL()), "found", strings.Join(risks, " = off, ")+" = off"),
		Mend:     strings.Join(set, "; ") + "; SELECT pg_reload_conf()",
	})
}

// checkRedis speaks to Redis as a component would, where its address is written out
// and TLS is off.
func (s *subject) checkRedis(ctx context.Context) Result {
	if s.alone() {
		return skipped(nothingRuns)
	}
	var r Result
	for _, c := range s.res.components() {
		host, ok := c.item("redisHost")
		if !ok || host.value == "" || hasPlaceholder(host.value) || strings.Contains(host.value, ",") || isTrue(c.value("enableTLS")) || !serves(c.scopes(), s.AppID.Value) {
			continue
		}
		password, _ := c.item("redisPassword")
		if password.secret != "" || password.env != "" || hasPlaceholder(password.value) {
			continue
		}
		if err := pingRedis(ctx, host.value, c.value("redisUsername"), password.value); err != nil {
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("The Redis of component %s at %s doesn't answer: %s.", quoted(c.name), host.value, dialWords(err)),
				Evidence: facts("at", c.at(host.node), "address", host.value, "error", dialWords(err)),
			})
		}
	}
	return r
}

// pingRedis logs in, if there is a password, and asks for a PONG.
func pingRedis(ctx context.Context, addr, user, password string) error {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return err
	}
	answers := bufio.NewReader(conn)
	ask := func(words ...string) error {
		words = deleteEmpty(words)
		fmt.Fprintf(conn, "*%d\r\n", len(words))
		for _, w := range words {
			fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(w), w)
		}
		line, err := answers.ReadString('\n')
		if err != nil {
			return err
		}
		if text, bad := strings.CutPrefix(strings.TrimSpace(line), "-"); bad {
			return errors.New(text)
		}
		return nil
	}
	if password != "" {
		if err := ask("AUTH", user, password); err != nil {
			return err
		}
	}
	return ask("PING")
}

func deleteEmpty(words []string) []string {
	var list []string
	for _, w := range words {
		if w != "" {
			list = append(list, w)
		}
	}
	return list
}
