package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

type versionInfo struct {
	Todoctl  string `json:"todoctl"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  todoctl version --output json",
		Args:    args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			info := versionInfo{Todoctl: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
			return a.printer().Print("version", info, func(w io.Writer) {
				fmt.Fprintf(w, "todoctl %s (%s, %s)\n", info.Todoctl, info.Go, info.Platform)
			})
		},
	}
}
