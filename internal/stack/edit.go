package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// Edit runs an editor on a file, on the given streams, and returns when it ends. The
// editor may have arguments, separated by spaces, as in "code --wait".
func Edit(ctx context.Context, editor, path string, stdin io.Reader, stdout, stderr io.Writer) error {
	words := strings.Fields(editor)
	if len(words) == 0 {
		return errors.New("no editor is named; set VISUAL or EDITOR")
	}
	cmd := exec.CommandContext(ctx, words[0], append(words[1:], path)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run editor %q: %w", editor, err)
	}
	return nil
}
