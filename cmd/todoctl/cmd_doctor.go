package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/doctor"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/stack"
)

// doctorFlags are what doctor is told.
type doctorFlags struct {
	only, skip     []string
	fix, yes, list bool
	dryRun         bool
	token, secret  string // files
}

func (a *app) doctorCommand() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use: "doctor", Short: "Find what is wrong with the stack, and how to mend it",
		Long: `Find what is wrong with the stack, and how to mend it. It looks at this machine, the
component files, the broker, the topics, the sidecar, the database and the events, and
changes nothing. The cause is named first, with the evidence and what mends it; what
can't be told because of it is "not checked". When all is well there is one line.

It works with nothing running, and on somebody else's component files: with
--resources-path and nothing running, only files and machine are looked at.

With --fix it mends what is safe: values in component files, topics and partitions,
sidecars that an earlier run has left behind. It shows the changes and asks first, and
then looks again. docs/troubleshooting.md describes every check.`,
		Example: `  todoctl doctor
  todoctl doctor --fix                           # show what would be mended, ask, mend, look again
  todoctl doctor --resources-path ./components   # files, before anything runs
  todoctl doctor --only broker,topics.missing --json
  todoctl doctor --list                          # every check`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd, f) },
	}
	brokerFlags(cmd, "api-url", "database", "data-dir", "sidecar", "daprd", "app-id", "pubsub", "pubsub-profile", "redis-addr", "rabbitmq-url",
		"dapr-http-port", "dapr-grpc-port", "dapr-api-token", "resources-path", "user")
	flags := cmd.Flags()
	flags.SetNormalizeFunc(daprNames)
	flags.StringSliceVar(&f.only, "only", nil, "only these checks or groups, and what they need")
	flags.StringSliceVar(&f.skip, "skip", nil, "without these checks or groups")
	flags.BoolVar(&f.list, "list", false, "list the checks instead")
	flags.BoolVar(&f.fix, "fix", false, "mend what is safe, and look again")
	flags.BoolVar(&f.yes, "yes", false, "with --fix: don't ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "with --fix: only show the changes")
	flags.StringVar(&f.token, "token-file", "", "also judge the JSON Web Token in this file, - for stdin: expired, another user's (--user), badly signed")
	flags.StringVar(&f.secret, "token-secret-file", "", "with --token-file: the secret that the API checks tokens with")
	completeFlag(cmd, "only", completeChecks)
	completeFlag(cmd, "skip", completeChecks)
	return exits(cmd, "0 nothing is wrong · 1 failed · 2 wrong usage · 3 something is wrong · 130 interrupted")
}

// completeChecks offers groups and ids after the last comma.
func completeChecks(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndex(typed, ",")+1]
	var words []string
	for _, group := range doctor.Groups() {
		words = append(words, before+group)
	}
	for _, c := range doctor.Checks() {
		words = append(words, before+c.ID+"\t"+c.Title)
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) doctor(cmd *cobra.Command, f doctorFlags) error {
	if _, err := doctor.Choose(doctor.Checks(), f.only, f.skip); err != nil {
		return usageError{err}
	}
	if !f.fix && (f.yes || f.dryRun) {
		return usagef("--yes and --dry-run go with --fix")
	}
	if f.list {
		return a.listChecks(f)
	}
	cfg, err := a.load(cmd)
	if err != nil {
		return err
	}
	options, err := a.doctorOptions(cfg)
	if err != nil {
		return err
	}
	if options.Token, err = a.doctorToken(cfg, f); err != nil {
		return err
	}
	examine := func(ctx context.Context) (doctor.Report, error) { return doctor.Examine(ctx, options, f.only, f.skip) }
	report, err := examine(cmd.Context())
	if err != nil {
		return err
	}
	if !f.fix || len(report.Fixable()) == 0 {
		return a.printReport(report)
	}
	return a.mend(cmd.Context(), report, examine, f)
}

func (a *app) doctorOptions(cfg *config.Config) (doctor.Options, error) {
	sources, err := doctorSources(cfg)
	if err != nil {
		return doctor.Options{}, usageError{err}
	}
	setting := func(key string) doctor.Setting { // port 0 is no choice: it is any that is free
		return doctor.Setting{Value: cfg.Get(key), Source: cfg.Source(key), Chosen: cfg.Chosen(key) && cfg.Get(key) != "0"}
	}
	brokers, err := kafkaOptions(cfg)
	if err != nil {
		return doctor.Options{}, err
	}
	database := setting("database")
	database.Value = databaseURL(cfg)
	options := doctor.Options{
		Sources: sources, Foreign: cfg.Chosen("resources-path"),
		Brokers: brokers.Brokers, Security: brokers.Security, BrokersFrom: setting("brokers"), APIURL: setting("api-url"), APIAddr: cfg.Get("api-addr"),
		Database: database, DaprHTTP: setting("dapr-http-port"), DaprGRPC: setting("dapr-grpc-port"),
		AppID: setting("app-id"), Pubsub: setting("pubsub"), DaprEnabled: setting("dapr-enabled"),
		Publishes: cfg.Get("publisher") == "dapr" && cfg.Get("sidecar") != "off",
		APIToken:  cfg.Get("dapr-api-token"), DataDir: cfg.Get("data-dir"), ComposeFile: composeHere(), ScriptDirs: scriptDirs(cfg),
		FindDaprd: func() (string, error) { return a.findDaprd(cfg) }, LookupEnv: a.env,
	}
	if profile := profileOf(cfg); profile != stack.Kafka {
		options.Other = string(profile)
		options.Brokers, options.BrokersFrom = []string{brokerAddress(cfg, nil)}, setting("pubsub-profile")
		options.Reach = func(ctx context.Context) error { return reachBroker(ctx, cfg, kafka.Options{}) }
	}
	return options, nil
}

// doctorToken is the token that is to be judged, empty for none. A user is looked for in
// it only where one was chosen.
func (a *app) doctorToken(cfg *config.Config, f doctorFlags) (doctor.Token, error) {
	var t doctor.Token
	if f.token == "" {
		if f.secret != "" {
			return t, usagef("--token-secret-file goes with --token-file")
		}
		return t, nil
	}
	text, err := a.readFile(f.token)
	if err != nil {
		return t, usageError{err}
	}
	t.Text = strings.TrimSpace(string(text))
	if t.Text == "" {
		return t, usagef("%s: there is no token in it", a.fileName(f.token))
	}
	if f.secret != "" {
		if text, err = a.readFile(f.secret); err != nil {
			return t, usageError{err}
		}
		t.Secret = strings.TrimRight(string(text), "\r\n")
	}
	if cfg.Chosen("user") {
		t.User = cfg.Get("user")
	}
	return t, nil
}

// scriptDirs are the folders whose shell scripts are looked at: those of the component
// files and, where these are ours, this one and scripts.
func scriptDirs(cfg *config.Config) []string {
	if dirs := cfg.List("resources-path"); len(dirs) > 0 {
		return dirs
	}
	return []string{".", "scripts"}
}

// doctorSources are the folders that a sidecar would get its components from.
func doctorSources(cfg *config.Config) ([]doctor.Source, error) {
	sources, err := resourceSources(cfg)
	var looked []doctor.Source
	for _, source := range sources {
		looked = append(looked, doctor.Source{Dir: source.dir, FS: source.fs})
	}
	return looked, err
}

// mend applies the fixes that are safe and examines again, until there are none left.
// A fix moves the lines below it, so one round may leave some for the next.
func (a *app) mend(ctx context.Context, report doctor.Report, examine func(context.Context) (doctor.Report, error), f doctorFlags) error {
	const rounds = 5
	for round := range rounds {
		fixes := report.Fixable()
		if len(fixes) == 0 {
			break
		}
		for _, finding := range fixes {
			a.showFix(finding)
		}
		if f.dryRun {
			break
		}
		if round == 0 && !f.yes {
			if err := a.confirm(ctx, "make these changes"); err != nil {
				return err
			}
		}
		if err := applyFixes(ctx, fixes); err != nil {
			return err
		}
		var err error
		if report, err = examine(ctx); err != nil {
			return err
		}
	}
	return a.printReport(report)
}

// applyFixes applies all that it can. That another fix has moved a line is no failure:
// the next round finds it where it is.
func applyFixes(ctx context.Context, findings []doctor.Finding) error {
	var failed []error
	changed := 0
	for _, finding := range findings {
		err := finding.Fix.Apply(ctx)
		if err == nil {
			changed++
		} else {
			failed = append(failed, fmt.Errorf("mend %s: %w", finding.Check, err))
		}
	}
	if changed > 0 {
		failed = slices.DeleteFunc(failed, func(err error) bool { return errors.Is(err, doctor.ErrChanged) })
	}
	return errors.Join(failed...)
}

// doctorCheck is a check as it is listed.
type doctorCheck struct {
	ID       string          `json:"check"`
	Group    string          `json:"group"`
	Severity doctor.Severity `json:"severity"`
	Title    string          `json:"title"`
	Fixes    bool            `json:"fixable"` // at least some of what it finds
}

func (a *app) listChecks(f doctorFlags) error {
	checks, err := doctor.Choose(doctor.Checks(), f.only, f.skip)
	if err != nil {
		return usageError{err}
	}
	result := struct {
		Checks []doctorCheck `json:"checks"`
	}{[]doctorCheck{}}
	var rows [][]string
	for _, c := range checks {
		result.Checks = append(result.Checks, doctorCheck{c.ID, c.Group(), c.Severity, c.Title, c.Fixes})
		fixes := ""
		if c.Fixes {
			fixes = "yes"
		}
		rows = append(rows, []string{c.ID, string(c.Severity), fixes, c.Title})
	}
	p := a.printer()
	return p.Print("doctor.checks", result, func(w io.Writer) {
		p.Table(w, []string{"CHECK", "SEVERITY", "FIX", "WHAT"}, rows)
	})
}
