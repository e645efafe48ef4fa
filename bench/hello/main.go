// Command hello is the least that todoctl's start can be compared with: a program
// with one command that links the same command line, settings and sidecar libraries.
package main

import (
	"os"

	dapr "github.com/dapr/go-sdk/client"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"
)

func main() {
	settings := viper.New()
	settings.SetDefault("greeting", "hello")
	root := &cobra.Command{Use: "hello"}
	root.AddCommand(&cobra.Command{Use: "version", Run: func(cmd *cobra.Command, _ []string) {
		dapr.SetLogger(nil)
		cmd.Println(settings.GetString("greeting"))
	}})
	if root.Execute() != nil {
		os.Exit(1)
	}
}
