package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// group is a command that only holds others: alone it prints its help, and an
// unknown word under it is answered with the nearest known one.
func group(use, short, examples string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Example: strings.Trim(examples, "\n"), SuggestionsMinimumDistance: 2,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				return usagef("unknown command %q for %q; did you mean %q?", args[0], cmd.CommandPath(), near[0])
			}
			return usagef("unknown command %q for %q; %q lists the commands", args[0], cmd.CommandPath(), cmd.CommandPath()+" --help")
		},
	}
}

// args turns a wrong number of arguments into a usage error that shows the line to
// type.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, words []string) error {
		if err := check(cmd, words); err != nil {
			return usagef("%w\nusage: %s", err, cmd.UseLine())
		}
		return nil
	}
}

// exits marks what a command's exit codes mean beyond the common ones.
func exits(cmd *cobra.Command, meanings string) *cobra.Command {
	cmd.Annotations = map[string]string{"exits": meanings}
	return cmd
}

const commonExits = "0 done · 1 failed · 2 wrong usage · 130 interrupted"

// layoutHelp puts the examples first and the exit codes last, for a command and
// all below it.
func layoutHelp(root *cobra.Command) {
	cobra.AddTemplateFunc("exits", func(cmd *cobra.Command) string {
		if meanings := cmd.Annotations["exits"]; meanings != "" {
			return meanings
		}
		return commonExits
	})
	root.SetHelpTemplate(`{{with or .Long .Short}}{{. | trimTrailingWhitespaces}}

{{end}}{{.UsageString}}`)
	root.SetUsageTemplate(`{{if .HasExample}}Examples:
{{.Example}}

{{end}}Usage:{{if or (not .HasAvailableSubCommands) .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}

Exit codes:
  {{exits .}}
`)
	root.InitDefaultHelpFlag()
}

// completeWords completes a flag with fixed words.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic("todoctl: complete --" + flag + ": " + err.Error()) // the flag is not there: a mistake in the program
	}
}

// daprNames takes the names that daprd has for flags of ours.
func daprNames(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	if name == "components-path" {
		name = "resources-path"
	}
	return pflag.NormalizedName(name)
}
