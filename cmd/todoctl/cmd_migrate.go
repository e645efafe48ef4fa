package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/store"
	"github.com/todoctl/todoctl/internal/ui"
)

func (a *app) migrateCommand() *cobra.Command {
	cmd := group("migrate", "See the version of the database's schema, and bring it up to date", `
  todoctl migrate status
  todoctl migrate up --database postgres://todo:todo@127.0.0.1:5432/todo`)
	cmd.AddCommand(a.migrateStatusCommand(), a.migrateUpCommand())
	return cmd
}

// schemaStatus is how the schema is.
type schemaStatus struct {
	Database string       `json:"database"`
	Version  int          `json:"schema_version"`
	Known    int          `json:"known_version"`
	UpToDate bool         `json:"up_to_date"`
	Steps    []schemaStep `json:"migrations"`
}

type schemaStep struct {
	Version   int    `json:"version"`
	Name      string `json:"name"`
	AppliedAt string `json:"applied_at"` // "" for a pending one
}

func (a *app) migrateStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "Tell whether the database has the schema that this todoctl needs",
		Example: "  todoctl migrate status\n  todoctl migrate status --json | jq .schema_version",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(cmd)
			if err != nil {
				return err
			}
			return a.runMigrateStatus(cmd.Context(), databaseURL(cfg))
		},
	}
	settingFlags(cmd, "database", "data-dir")
	return exits(cmd, "0 up to date · 1 failed · 2 wrong usage · 3 migrations are pending, or a newer todoctl made it · 130 interrupted")
}

func (a *app) runMigrateStatus(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, databaseWait)
	defer cancel()
	schema, err := store.ReadSchema(ctx, url)
	if err != nil {
		return err
	}
	status := schemaStatus{
		Database: store.Describe(url), Version: schema.Version, Known: schema.Known, UpToDate: schema.UpToDate(), Steps: []schemaStep{},
	}
	for _, m := range append(schema.Applied, schema.Pending...) {
		status.Steps = append(status.Steps, schemaStep(m))
	}
	p := a.printer()
	if err := p.Print("migrate.status", status, func(w io.Writer) { status.text(p, w) }); err != nil {
		return err
	}
	switch {
	case status.UpToDate:
		return nil
	case schema.Version > schema.Known:
		return noError{newerSchema(schema)}
	default:
		return noError{fmt.Errorf("%d pending; 'todoctl migrate up' brings the schema up to date, as a start of 'todoctl serve' does", status.Known-status.Version)}
	}
}

func newerSchema(s store.Schema) error {
	return fmt.Errorf("a newer todoctl made the schema: it has version %d, this one knows versions up to %d: use the newer one", s.Version, s.Known)
}

func (s schemaStatus) text(p ui.Printer, w io.Writer) {
	p.Fields(w, [][2]string{
		{"database", s.Database},
		{"schema", fmt.Sprintf("version %d; this todoctl needs %d", s.Version, s.Known)},
	})
	fmt.Fprintln(w)
	var rows [][]string
	for _, step := range s.Steps {
		applied := step.AppliedAt
		if applied == "" {
			applied = "pending"
		}
		rows = append(rows, []string{strconv.Itoa(step.Version), step.Name, applied})
	}
	p.Table(w, []string{"VERSION", "MIGRATION", "APPLIED"}, rows)
}

func (a *app) migrateUpCommand() *cobra.Command {
	var dryRun bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "up", Short: "Bring the database's schema up to date",
		Long: `Bring the database's schema up to date, as 'todoctl serve' and 'todoctl dev' do when
they start. All migrations that are pending are made in one transaction, or none. Of
several at once one makes them, the others wait for it. A SQLite file that isn't there
is created; a schema that a newer todoctl made is refused.`,
		Example: "  todoctl migrate up\n  todoctl migrate up --dry-run --database postgres://todo:todo@127.0.0.1:5432/todo",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(cmd)
			if err != nil {
				return err
			}
			if dryRun {
				return a.runMigrateDry(cmd.Context(), databaseURL(cfg))
			}
			return a.runMigrateUp(cmd.Context(), cfg, timeout)
		},
	}
	settingFlags(cmd, "database", "data-dir")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be done")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "give up after so long")
	return cmd
}

// schemaChange is the result of up.
type schemaChange struct {
	Database string   `json:"database"`
	DryRun   bool     `json:"dry_run"`
	Steps    []string `json:"migrations"` // what was done, in order
}

func (a *app) runMigrateDry(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, databaseWait)
	defer cancel()
	schema, err := store.ReadSchema(ctx, url)
	if err != nil {
		return err
	}
	if schema.Version > schema.Known {
		return fmt.Errorf("%s: %w", store.Describe(url), newerSchema(schema))
	}
	return a.printSchemaChange(url, true, schema.Pending)
}

func (a *app) runMigrateUp(ctx context.Context, cfg *config.Config, timeout time.Duration) error {
	var err error
	if cfg.Get("database") == "" {
		if cfg, err = withDataDir(cfg); err != nil {
			return err
		}
	}
	url := databaseURL(cfg)
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done, err := store.Migrate(bounded, url)
	if err != nil {
		if bounded.Err() != nil && ctx.Err() == nil {
			return errors.Join(fmt.Errorf("gave up after %s: another may be migrating; --timeout waits longer", timeout), err)
		}
		return err
	}
	return a.printSchemaChange(url, false, done)
}

func (a *app) printSchemaChange(url string, dryRun bool, steps []store.Migration) error {
	result := schemaChange{Database: store.Describe(url), DryRun: dryRun, Steps: []string{}}
	for _, m := range steps {
		result.Steps = append(result.Steps, m.Name)
	}
	return a.printer().Print("migrate.up", result, func(w io.Writer) {
		verb := "made"
		if dryRun {
			verb = "would make"
		}
		for _, name := range result.Steps {
			fmt.Fprintf(w, "%s %s\n", verb, name)
		}
		if len(result.Steps) == 0 {
			fmt.Fprintf(w, "nothing to do: %s is up to date\n", result.Database)
		}
	})
}
