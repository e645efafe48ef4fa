package doctor

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// scriptsCheck is environment.scripts.
func (s *subject) scriptsCheck() Check {
	return Check{
		ID: "environment.scripts", Severity: Warning, Title: "shell scripts end their lines as Unix does",
		Symptom: "`/bin/bash^M: bad interpreter: No such file or directory`", Cause: "a checkout on Windows has put CR before each line's end, and the interpreter's name ends with it",
		Mend: "write LF line ends: git config core.autocrlf input, and check out again", Fixes: true, Run: s.checkScripts,
	}
}

func (s *subject) checkScripts(context.Context) Result {
	var r Result
	for _, dir := range s.ScriptDirs {
		paths, err := filepath.Glob(filepath.Join(dir, "*.sh"))
		if err != nil {
			continue
		}
		for _, path := range paths {
			text, ok := readScript(path)
			first, _, _ := bytes.Cut(text, []byte("\n"))
			if !ok || !bytes.HasPrefix(first, []byte("#!")) || !bytes.HasSuffix(first, []byte("\r")) {
				continue
			}
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("The script %s has Windows line ends, so its interpreter isn't found.", path),
				Evidence: facts("at", path+":1", "found", fmt.Sprintf("%q", first)), Fix: lineEndsFix{path, text},
			})
		}
	}
	return r
}

// readScript reads a plain file of the size of a script.
func readScript(path string) ([]byte, bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, false
	}
	text, err := os.ReadFile(path)
	return text, err == nil
}

// A lineEndsFix takes the CR from the end of each line.
type lineEndsFix struct {
	path string
	old  []byte
}

// Diff says what is done: the lines themselves look the same before and after.
func (f lineEndsFix) Diff() string {
	return fmt.Sprintf("%s\n- lines end with CR LF\n+ lines end with LF", f.path)
}

// Apply rewrites the file as a whole, and keeps its mode.
func (f lineEndsFix) Apply(context.Context) error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	now, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, f.old) {
		return fmt.Errorf("%s: %w", f.path, ErrChanged)
	}
	return replaceFile(f.path, bytes.ReplaceAll(now, []byte("\r\n"), []byte("\n")), info.Mode().Perm())
}
