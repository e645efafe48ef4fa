package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/task"
	"github.com/todoctl/todoctl/internal/ui"
)

func (a *app) tasksCommand() *cobra.Command {
	cmd := group("tasks", "Add, list and change tasks through the API", `
  todoctl tasks add "Buy groceries" --priority high --due 2026-02-20
  todoctl tasks list --status pending --sort due_date
  todoctl tasks done 3`)
	cmd.AddCommand(a.tasksAddCommand(), a.tasksListCommand(), a.tasksShowCommand(),
		a.tasksUpdateCommand(), a.tasksDoneCommand(), a.tasksRemoveCommand())
	return cmd
}

// client makes the API's client from a command's settings.
func (a *app) client(cmd *cobra.Command) (*client, error) {
	cfg, err := a.load(cmd)
	if err != nil {
		return nil, err
	}
	return newClient(cfg)
}

// fieldFlags are the flags of a task's fields, by the field's name in the API.
func fieldFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.String("description", "", "what it is about")
	flags.String("priority", "", "low, medium, high or urgent")
	flags.StringArray("tag", nil, "a tag; repeat it for several")
	flags.String("due", "", "when it is due: a date or RFC 3339")
	flags.String("remind-at", "", "when to be reminded: RFC 3339")
	flags.String("remind-before", "", "how long before it is due: minutes, or a duration such as 1h30m")
	flags.StringArray("channel", nil, "by which channel to be reminded; repeat it for several")
	flags.String("timezone", "", "IANA zone in which it recurs, such as Europe/Berlin (default UTC)")
	flags.String("recurrence", "", "none, daily, weekly, monthly, yearly or an RFC 5545 rule")
	flags.String("recurrence-end", "", "when it stops to come again; a date is inclusive")
	completeWords(cmd, "priority", "low", "medium", "high", "urgent")
	completeWords(cmd, "recurrence", "none", "daily", "weekly", "monthly", "yearly")
}

// fields collects the field flags that were given.
func fields(cmd *cobra.Command) (map[string]any, error) {
	flags := cmd.Flags()
	given := make(map[string]any)
	for flag, field := range map[string]string{
		"title": "title", "description": "description", "priority": "priority", "due": "due_date",
		"remind-at": "remind_at", "timezone": "timezone", "recurrence": "recurrence", "recurrence-end": "recurrence_end",
	} {
		if flags.Changed(flag) {
			given[field], _ = flags.GetString(flag)
		}
	}
	for flag, field := range map[string]string{"tag": "tags", "channel": "channels"} {
		if flags.Changed(flag) {
			list, _ := flags.GetStringArray(flag)
			given[field] = slices.DeleteFunc(list, func(s string) bool { return s == "" }) // "" alone clears
		}
	}
	if flags.Changed("remind-before") {
		text, _ := flags.GetString("remind-before")
		minutes, err := parseMinutes(text)
		if err != nil {
			return nil, usagef("--remind-before %q: %v", text, err)
		}
		given["remind_before"] = minutes
	}
	return given, nil
}

// parseMinutes reads whole minutes, as a number or a duration; nil for "", which clears.
func parseMinutes(text string) (any, error) {
	if text == "" {
		return nil, nil
	}
	if n, err := strconv.Atoi(text); err == nil {
		return n, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d%time.Minute != 0 {
		return nil, errors.New("must be whole minutes such as 30, or a duration such as 1h30m")
	}
	return int(d / time.Minute), nil
}

func (a *app) tasksAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "add TITLE", Short: "Add a task",
		Example: `  todoctl tasks add "Buy groceries" --priority high --tag home --due 2026-02-20
  todoctl tasks add "Pay the rent" --due 2026-01-31T09:00:00Z --recurrence monthly --remind-before 1h`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, words []string) error {
			given, err := fields(cmd)
			if err != nil {
				return err
			}
			api, err := a.client(cmd)
			if err != nil {
				return err
			}
			given["title"] = words[0]
			t, err := api.add(cmd.Context(), given)
			if err != nil {
				return err
			}
			return a.printTask("added", t)
		},
	}
	settingFlags(cmd, "api-url", "user", "data-dir")
	fieldFlags(cmd)
	return cmd
}

func (a *app) tasksListCommand() *cobra.Command {
	var status, priority, search, dueBefore, dueAfter, sort string
	var tags []string
	var overdue bool
	var limit int
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List tasks",
		Example: "  todoctl tasks list --status pending --sort due_date\n  todoctl tasks list --search groceries --json | jq '.tasks[].title'",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return usagef("--limit %d: must be 0, for all, or more", limit)
			}
			api, err := a.client(cmd)
			if err != nil {
				return err
			}
			query := url.Values{}
			for name, value := range map[string]string{
				"status": status, "priority": priority, "search": search, "tags": strings.Join(tags, ","),
				"due_before": dueBefore, "due_after": dueAfter, "sort": sort,
			} {
				if value != "" {
					query.Set(name, value)
				}
			}
			if overdue {
				query.Set("overdue", "true")
			}
			found, err := api.list(cmd.Context(), query, limit)
			if err != nil {
				return err
			}
			return a.printTasks(found)
		},
	}
	settingFlags(cmd, "api-url", "user", "data-dir")
	flags := cmd.Flags()
	flags.StringVar(&status, "status", "", "all, pending or completed")
	flags.StringVar(&priority, "priority", "", "low, medium, high or urgent")
	flags.StringArrayVar(&tags, "tag", nil, "only tasks with this tag; repeat it for several")
	flags.StringVar(&search, "search", "", "text in title or description")
	flags.StringVar(&dueBefore, "due-before", "", "due before this time")
	flags.StringVar(&dueAfter, "due-after", "", "due after this time")
	flags.BoolVar(&overdue, "overdue", false, "only open tasks whose time has passed")
	flags.StringVar(&sort, "sort", "", "field or field:desc, of "+strings.Join(task.SortFields(), ", "))
	flags.IntVar(&limit, "limit", 0, "at most so many; 0 is all")
	completeWords(cmd, "status", "all", "pending", "completed")
	completeWords(cmd, "priority", "low", "medium", "high", "urgent")
	completeWords(cmd, "sort", task.SortFields()...)
	return cmd
}

func (a *app) tasksShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show one task",
		Example:           "  todoctl tasks show 3 --output yaml",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeTasks,
		RunE: func(cmd *cobra.Command, words []string) error {
			return a.eachTask(cmd, words, func(ctx context.Context, api *client, id int64) error {
				t, err := api.task(ctx, id)
				if err != nil {
					return err
				}
				return a.printTask("", t)
			})
		},
	}
	settingFlags(cmd, "api-url", "user", "data-dir")
	return cmd
}

func (a *app) tasksUpdateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "update ID", Short: "Change fields of a task",
		Long:              "Change the fields that are given; the others stay. An empty value clears a field.",
		Example:           `  todoctl tasks update 3 --title "Buy bread" --due ""`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeTasks,
		RunE: func(cmd *cobra.Command, words []string) error {
			given, err := fields(cmd)
			if err != nil {
				return err
			}
			if len(given) == 0 {
				return usagef("nothing to change: give a field, such as --title")
			}
			return a.eachTask(cmd, words, func(ctx context.Context, api *client, id int64) error {
				t, err := api.update(ctx, id, given)
				if err != nil {
					return err
				}
				return a.printTask("updated", t)
			})
		},
	}
	settingFlags(cmd, "api-url", "user", "data-dir")
	fieldFlags(cmd)
	cmd.Flags().String("title", "", "another title")
	return cmd
}

func (a *app) tasksDoneCommand() *cobra.Command {
	var undo bool
	cmd := &cobra.Command{
		Use: "done ID...", Short: "Complete tasks, or with --undo reopen them",
		Example:           "  todoctl tasks done 3 4\n  todoctl tasks done 3 --undo",
		Args:              args(cobra.MinimumNArgs(1)),
		ValidArgsFunction: a.completeTasks,
		RunE: func(cmd *cobra.Command, words []string) error {
			verb := "completed"
			if undo {
				verb = "reopened"
			}
			return a.eachTask(cmd, words, func(ctx context.Context, api *client, id int64) error {
				t, err := api.update(ctx, id, map[string]any{"completed": !undo})
				if err != nil {
					return err
				}
				return a.printTask(verb, t)
			})
		},
	}
	settingFlags(cmd, "api-url", "user", "data-dir")
	cmd.Flags().BoolVar(&undo, "undo", false, "reopen instead")
	return cmd
}

func (a *app) tasksRemoveCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "rm ID...", Aliases: []string{"delete"}, Short: "Delete tasks",
		Example:           "  todoctl tasks rm 3\n  todoctl tasks rm 3 4 --yes",
		Args:              args(cobra.MinimumNArgs(1)),
		ValidArgsFunction: a.completeTasks,
		RunE: func(cmd *cobra.Command, words []string) error {
			return a.eachTask(cmd, words, func(ctx context.Context, api *client, id int64) error {
				t, err := api.task(ctx, id)
				if err != nil {
					return err
				}
				if !yes {
					if err := a.confirm(ctx, fmt.Sprintf("delete %q", t.Title)); err != nil {
						return err
					}
				}
				if err := api.remove(ctx, id); err != nil {
					return err
				}
				return a.printTask("deleted", t)
			})
		},
	}
	settingFlags(cmd, "api-url", "user", "data-dir")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	return cmd
}

// eachTask does the same to each task that is named, all of them although one
// fails. The ids are read before anything is done.
func (a *app) eachTask(cmd *cobra.Command, words []string, do func(context.Context, *client, int64) error) error {
	ids := make([]int64, len(words))
	for i, word := range words {
		id, err := strconv.ParseInt(word, 10, 64)
		if err != nil || id < 1 {
			return usagef("task id %q: must be a whole number such as 3; 'todoctl tasks list' shows them", word)
		}
		ids[i] = id
	}
	api, err := a.client(cmd)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		if err := do(cmd.Context(), api, id); err != nil {
			errs = append(errs, fmt.Errorf("task %d: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// completeTasks offers the ids of the user's tasks, newest first, with their titles.
func (a *app) completeTasks(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	api, err := a.client(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
	defer cancel()
	found, err := api.list(ctx, url.Values{}, 50)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var words []string
	for _, t := range found.Tasks {
		words = append(words, cobra.CompletionWithDesc(strconv.FormatInt(t.ID, 10), ui.Clean(t.Title)))
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}
