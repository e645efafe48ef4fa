package notify

import (
	"fmt"
	"log/slog"
)

// A Secret is a text that is never printed: every way of printing it shows ***.
type Secret struct {
	text *string // a pointer, for fmt doesn't ask the fields of an unexported struct how to print them
}

const masked = "***"

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret { return Secret{text: &text} }

// Reveal is the text itself, for the one place that sends it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Format prints *** for every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, masked) }

// String is ***.
func (s Secret) String() string { return masked }

// LogValue is ***.
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText is *** in JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }
