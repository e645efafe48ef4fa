package notify

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds what a receiver may ask for.
const maxRetryAfter = 24 * time.Hour

// judge makes an error of an answer that isn't 2xx. The body is not read: it might
// never end, and a refusal's may repeat the URL with its token.
func (w *Webhook) judge(answer *http.Response) error {
	status := answer.StatusCode
	if status >= 200 && status < 300 {
		return nil
	}
	text := fmt.Sprintf("answered %d %s", status, http.StatusText(status))
	if status >= 300 && status < 400 {
		text += ", a redirect, which is not followed"
	}
	return &Error{
		Permanent:  isRefusal(status),
		RetryAfter: retryAfter(answer.Header.Get("Retry-After"), w.now()),
		Err:        fmt.Errorf("webhook %s: %s", w.host, text),
	}
}

// isRefusal tells of the answers that another attempt would get again. Of 4xx some
// ask for patience.
func isRefusal(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}

// retryAfter reads the header Retry-After: seconds or a date (RFC 9110, 10.2.3).
// What isn't one of them asks for nothing; more than a day is a day.
func retryAfter(header string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(header); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
