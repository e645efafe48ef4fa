package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/config"
)

func (a *app) configCommand() *cobra.Command {
	cmd := group("config", "See the settings", `
  todoctl config show
  TODOCTL_BROKERS=kafka:9092 todoctl config show --output json`)
	cmd.AddCommand(a.configShowCommand())
	return cmd
}

func (a *app) configShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print each setting, its value and where it came from; secrets are masked",
		Long: `Print each setting, its value and where it came from. Secrets are masked.

A value is taken from, strongest first: the flag, the environment (TODOCTL_ and the
setting's name in capitals, or the variable that the setup guide used), the settings
file, the stack that runs in this folder, the default.`,
		Example: "  todoctl config show\n  todoctl config show --profile prod --output yaml",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(cmd)
			if err != nil {
				return err
			}
			result := struct {
				Settings []config.Value `json:"settings"`
			}{cfg.Values()}
			p := a.printer()
			return p.Print("config", result, func(w io.Writer) {
				var rows [][]string
				for _, v := range result.Settings {
					rows = append(rows, []string{v.Key, v.Value, v.Source})
				}
				p.Table(w, []string{"SETTING", "VALUE", "FROM"}, rows)
			})
		},
	}
	settingFlags(cmd, "data-dir")
	return cmd
}
