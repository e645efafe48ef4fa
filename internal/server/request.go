package server

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/todoctl/todoctl/internal/task"
)

// maxBody is the largest body of a request, in bytes.
const maxBody = 64 << 10

// userOf finds the user whom a request acts for and keeps the name for the log.
func userOf(w *response, r *http.Request) (string, error) {
	user, field := r.PathValue("user_id"), "user_id"
	if user == "" {
		user, field = r.Header.Get("X-User-ID"), "X-User-ID"
	}
	if user == "" {
		return "", refuse(http.StatusUnauthorized, "no user given: name the user in the path (/api/{user_id}/tasks) or in the header X-User-ID")
	}
	if n := utf8.RuneCountInString(user); n > task.MaxUserID {
		return "", task.Invalid(field, fmt.Sprintf("must have 1 to %d characters, has %d", task.MaxUserID, n))
	}
	if !utf8.ValidString(user) || strings.ContainsFunc(user, unicode.IsControl) {
		return "", task.Invalid(field, "must be valid UTF-8 without control characters")
	}
	w.user = user
	return user, nil
}

func idOf(r *http.Request) (int64, error) {
	text := r.PathValue("id")
	id, err := wholeNumber(text)
	if err != nil || id < 1 {
		return 0, task.Invalid("id", fmt.Sprintf("must be a whole number from 1 to %d, not %s", math.MaxInt64, quote(text)))
	}
	return id, nil
}

// wholeNumber reads digits and nothing else: ParseInt would take signs.
func wholeNumber(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("read number: %w", err)
	}
	return int64(n), nil
}

// readBody reads the body into b. It comes back as *http.MaxBytesError when it
// is too large.
func readBody(w *response, r *http.Request, b *buffer) error {
	if r.ContentLength == 0 {
		return nil
	}
	if r.ContentLength > maxBody {
		return &http.MaxBytesError{Limit: maxBody}
	}
	_, err := b.ReadFrom(http.MaxBytesReader(w.ResponseWriter, r.Body, maxBody))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge
	}
	if err != nil {
		return task.Invalid("body", "could not be read to its end")
	}
	if !utf8.Valid(b.Bytes()) {
		return task.Invalid("body", "must be valid UTF-8")
	}
	return nil
}

// idempotency reads the Idempotency-Key header and, when there is one, works out
// the fingerprint of the request.
func idempotency(r *http.Request, body []byte) (key, fingerprint string, err error) {
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) == 0 {
		return "", "", nil
	}
	key = keys[0]
	invisible := func(c rune) bool { return c <= ' ' || c > '~' }
	if len(keys) > 1 || key == "" || len(key) > 255 || strings.ContainsFunc(key, invisible) {
		return "", "", task.Invalid("Idempotency-Key", "must be given once and have 1 to 255 visible ASCII characters")
	}
	h := sha256.New()
	for _, part := range []string{r.Method, "\x00", r.URL.EscapedPath(), "\x00"} {
		_, _ = io.WriteString(h, part) // a hash takes everything
	}
	_, _ = h.Write(body)
	return key, hex.EncodeToString(h.Sum(nil)), nil
}

// traceparent returns the request's trace context (W3C Trace Context 1, 3.2.2),
// or "" when it has none that is valid in version 00.
func traceparent(r *http.Request) string {
	values := r.Header.Values("Traceparent")
	if len(values) != 1 || len(values[0]) != len("00-")+32+len("-")+16+len("-01") {
		return ""
	}
	v := values[0]
	trace, span, flags := v[3:35], v[36:52], v[53:]
	if v[:3] != "00-" || v[35] != '-' || v[52] != '-' || !isHex(trace) || !isHex(span) || !isHex(flags) {
		return ""
	}
	if strings.Trim(trace, "0") == "" || strings.Trim(span, "0") == "" {
		return ""
	}
	return v
}

func isHex(text string) bool { return strings.Trim(text, "0123456789abcdef") == "" }
