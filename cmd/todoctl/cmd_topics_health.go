package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/topics"
)

// healthFlags choose what is not well.
func healthFlags(cmd *cobra.Command, h *topics.Health) *cobra.Command {
	cmd.Flags().BoolVar(&h.UnderReplicated, "under-replicated", false, "only partitions of which a replica isn't in sync")
	cmd.Flags().BoolVar(&h.Offline, "offline", false, "only partitions without a leader, which nobody can read or write")
	return exits(cmd, "0 done · 1 failed · 2 wrong usage · 3 --under-replicated or --offline found some · 130 interrupted")
}

// healthWords is what the filter looks for.
func healthWords(h topics.Health) string {
	var words []string
	if h.UnderReplicated {
		words = append(words, "under-replicated")
	}
	if h.Offline {
		words = append(words, "offline")
	}
	return strings.Join(words, " or ")
}

// healthAnswer is "no" when a filter has found something.
func healthAnswer(h topics.Health, found int) error {
	if !h.Set() || found == 0 {
		return nil
	}
	return noError{fmt.Errorf("%s with partitions that are %s", howMany(found, "topic"), healthWords(h))}
}
