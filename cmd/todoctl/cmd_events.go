package main

import (
	"github.com/spf13/cobra"
)

func (a *app) eventsCommand() *cobra.Command {
	cmd := group("events", "Publish events and watch them", `
  todoctl events tail task-events
  todoctl events publish task-events --data '{"event_type":"task.created","data":{"task_id":1}}' --key 1`)
	cmd.AddCommand(a.eventsPublishCommand(), a.eventsTailCommand(), a.eventsSchemaCommand())
	return cmd
}
