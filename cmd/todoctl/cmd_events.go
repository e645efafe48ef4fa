package main

import (
	"github.com/spf13/cobra"
)

func (a *app) eventsCommand() *cobra.Command {
	cmd := group("events", "Publish events, watch them, and produce them again", `
  todoctl events tail task-events
  todoctl events publish --sample task.created --key 1`)
	cmd.AddCommand(a.eventsTailCommand(), a.eventsPublishCommand(), a.eventsReplayCommand(), a.eventsBenchCommand(), a.eventsSchemaCommand())
	return cmd
}
