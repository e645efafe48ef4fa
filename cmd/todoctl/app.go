package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/stack"
	"github.com/todoctl/todoctl/internal/ui"
)

// An app is one run of the program: its streams, its environment and the flags
// that every command has.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string // as of os.Environ

	configFile, profile string
	output              string
	json, noColor       bool
}

// run is the program. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ}
	root := a.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	code := exitCode(ctx, err)
	if err != nil {
		format := a.format()
		if code == exitUsage && asksJSON(args) { // after the flag that ended the parse
			format = ui.JSON
		}
		report(stderr, format, err, code)
	}
	return code
}

func (a *app) rootCommand() *cobra.Command {
	root := group("todoctl", "Set up, run, watch and repair the event stack of a todo application", `
  todoctl dev                                    # the whole stack, in this terminal
  todoctl tasks add "Buy groceries" --priority high
  todoctl events tail task-events                # watch what happens
  todoctl topics verify                          # is everything as it should be?`)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.HiddenDefaultCmd = false
	layoutHelp(root)

	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "settings file (default todoctl.yaml here, else in the user's config folder)")
	flags.StringVar(&a.profile, "profile", "", "named profile in the settings file")
	flags.StringVar(&a.output, "output", "text", "text, json or yaml")
	flags.BoolVar(&a.json, "json", false, "the same as --output json")
	flags.BoolVar(&a.noColor, "no-color", false, "no colours")
	completeWords(root, "output", "text", "json", "yaml")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return a.checkOutput(cmd) }

	root.AddCommand(a.devCommand(), a.upCommand(), a.downCommand(), a.serveCommand(), a.workerCommand(), a.topicsCommand(), a.eventsCommand(), a.groupsCommand(),
		a.dlqCommand(), a.tasksCommand(), a.outboxCommand(), a.migrateCommand(), a.doctorCommand(), a.statusCommand(), a.smokeCommand(), a.configCommand(), a.versionCommand())
	return root
}

// flagError adds to pflag's words what to do where somebody puts a password on the
// command line.
func flagError(_ *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedName() == "sasl-password" {
		return usagef("a password doesn't belong on the command line, which others can see: put it into TODOCTL_SASL_PASSWORD, or into a file and name that with --sasl-password-file FILE")
	}
	return usageError{err}
}

// outputWords is the annotation of a command whose --output takes other words.
const outputWords = "outputs"

func (a *app) checkOutput(cmd *cobra.Command) error {
	words := []string{"text", "json", "yaml"}
	if own := cmd.Annotations[outputWords]; own != "" {
		words = strings.Fields(own)
	}
	if !slices.Contains(words, a.output) {
		return usagef("--output %q: must be one of %s", a.output, strings.Join(words, ", "))
	}
	return nil
}

func (a *app) format() ui.Format {
	if a.json {
		return ui.JSON
	}
	return ui.Format(a.output)
}

// printer prints results to stdout; messages prints what is not a result to
// stderr. Each looks at its own stream for a terminal.
func (a *app) printer() ui.Printer  { return a.printerTo(a.stdout) }
func (a *app) messages() ui.Printer { return a.printerTo(a.stderr) }

func (a *app) printerTo(w io.Writer) ui.Printer {
	p := ui.Printer{Out: w, Format: a.format()}
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return p
	}
	if width, _, err := term.GetSize(int(file.Fd())); err == nil {
		p.Width = width
	}
	p.Color = !a.noColor && a.env("NO_COLOR") == "" && a.env("TERM") != "dumb"
	return p
}

func (a *app) env(name string) string {
	v, _ := a.lookupEnv(name)
	return v
}

func (a *app) lookupEnv(name string) (string, bool) {
	for _, entry := range a.environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			return v, true
		}
	}
	return "", false
}

// settingFlags gives a command the flags of settings. Their values are read
// through load, which knows the other places where a setting may stand.
func settingFlags(cmd *cobra.Command, keys ...string) {
	for _, s := range config.Settings() {
		for _, key := range keys {
			switch {
			case s.Key != key:
			case s.Switch:
				cmd.Flags().Bool(key, s.Default == "true", s.Usage)
			default:
				cmd.Flags().String(key, s.Default, s.Usage)
			}
		}
	}
}

// load reads the settings for a command that talks to a running stack.
func (a *app) load(cmd *cobra.Command) (*config.Config, error) {
	return a.loadLayers(cmd, runSettings)
}

// loadOwn reads the settings for a command that is the running stack.
func (a *app) loadOwn(cmd *cobra.Command) (*config.Config, error) {
	return a.loadLayers(cmd, nil)
}

func (a *app) loadLayers(cmd *cobra.Command, run func(string) map[string]string) (*config.Config, error) {
	given := make(map[string]string)
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if kind := f.Value.Type(); kind == "string" || kind == "bool" {
			given[f.Name] = f.Value.String()
		}
	})
	cfg, err := config.Load(config.Layers{
		Flags: given, LookupEnv: a.lookupEnv, File: a.configFile, ConfigDir: a.configDir(), Profile: a.profile, Run: run,
	})
	if err != nil {
		return nil, usageError{err}
	}
	return cfg, nil
}

// runSettings are the addresses of the stack that runs with a data folder.
func runSettings(dataDir string) map[string]string {
	run, err := stack.ReadRun(dataDir)
	if err != nil {
		return nil // none runs: the defaults hold
	}
	return map[string]string{
		"api-url":        "http://" + run.APIAddr,
		"brokers":        strings.Join(run.Brokers, ","),
		"pubsub-profile": run.Profile,
		"dapr-http-port": strconv.Itoa(run.DaprHTTPPort),
		"dapr-grpc-port": strconv.Itoa(run.DaprGRPCPort),
	}
}

// configDir is the XDG folder of the user's settings.
func (a *app) configDir() string {
	if dir := a.env("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "todoctl")
	}
	return filepath.Join(a.env("HOME"), ".config", "todoctl")
}
