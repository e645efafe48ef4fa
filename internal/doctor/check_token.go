package doctor

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"strings"
	"time"
)

// A Token is a JSON Web Token that is to be judged, and what it should be.
type Token struct {
	Text   string
	Secret string // with which it should be signed; "" when that isn't known
	User   string // whom it should be for
}

// tokenCheck is environment.token.
func (s *subject) tokenCheck() Check {
	return Check{
		ID: "environment.token", Severity: Error, Title: "the token given with --token-file is valid",
		Symptom: "401 or 403 although somebody is logged in", Cause: "the token has expired, is for another user, or was signed with another secret or algorithm than the API checks with",
		Mend: "log in again, or give both sides the same secret", Run: s.checkToken,
	}
}

// checkToken never shows the token or the secret.
func (s *subject) checkToken(context.Context) Result {
	if s.Token.Text == "" {
		return beside()
	}
	t, err := parseToken(s.Token.Text)
	if err != nil {
		return found(Finding{Message: "The token is no JSON Web Token: " + err.Error() + ".", Mend: "give what stands behind \"Bearer \" alone"})
	}
	var r Result
	add := func(message, mend string, evidence ...string) {
		r.Findings = append(r.Findings, Finding{Message: message, Evidence: facts(evidence...), Mend: mend})
	}
	now := time.Now()
	if expires, ok := t.time("exp"); ok && !now.Before(expires) {
		add("The token has expired.", "log in again", "expired", expires.UTC().Format(time.RFC3339), "now", now.UTC().Format(time.RFC3339))
	}
	if begins, ok := t.time("nbf"); ok && begins.After(now.Add(clockSlack)) {
		add("The token isn't valid yet.", "wait, or synchronise the clocks: timedatectl set-ntp true", "from", begins.UTC().Format(time.RFC3339), "now", now.UTC().Format(time.RFC3339))
	}
	if name, user := t.user(); s.Token.User != "" && user != s.Token.User {
		if name == "" {
			add("The token names no user: it has neither sub nor user_id.", "have the user's id put into the claim sub", "wanted", s.Token.User)
		} else {
			add("The token is for another user than the path.", "use the id of the token's user, or log in as the other", "found", name+" = "+user, "wanted", s.Token.User)
		}
	}
	if problem, mend := t.signature(s.Token.Secret); problem != "" {
		add(problem, mend, "algorithm", t.algorithm)
	}
	return r
}

// A webToken is one taken apart; RFC 7519 and 7515.
type webToken struct {
	algorithm string
	claims    map[string]any
	signed    string // what the signature is of
	mac       []byte
}

func parseToken(text string) (webToken, error) {
	parts := strings.Split(strings.TrimSpace(text), ".")
	if len(parts) != 3 {
		return webToken{}, fmt.Errorf("it has %d parts, not 3", len(parts))
	}
	t := webToken{signed: parts[0] + "." + parts[1]}
	var header struct {
		Algorithm string `json:"alg"`
	}
	for i, into := range []any{&header, &t.claims} {
		part, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(part, into) != nil {
			return t, fmt.Errorf("part %d is no JSON object in base64url", i+1)
		}
	}
	var err error
	if t.mac, err = base64.RawURLEncoding.DecodeString(parts[2]); err != nil {
		return t, fmt.Errorf("part 3 is no base64url")
	}
	t.algorithm = header.Algorithm
	return t, nil
}

// time is a claim in seconds since 1970.
func (t webToken) time(claim string) (time.Time, bool) {
	seconds, ok := t.claims[claim].(float64)
	return time.Unix(int64(seconds), 0), ok
}

// user is the claim that names the user, with its name.
func (t webToken) user() (name, value string) {
	for _, name := range []string{"sub", "user_id"} {
		switch v := t.claims[name].(type) {
		case string:
			return name, v
		case float64:
			return name, fmt.Sprint(int64(v))
		}
	}
	return "", ""
}

// signature says what is wrong with it, "" when nothing is or it can't be told.
func (t webToken) signature(secret string) (problem, mend string) {
	sums := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}
	sum, shared := sums[t.algorithm]
	switch {
	case strings.EqualFold(t.algorithm, "none") || t.algorithm == "":
		return "The token isn't signed.", "have it signed: HS256 with a secret that both sides have"
	case secret == "":
		return "", ""
	case !shared:
		return "The token is signed with a key pair, and the API is to check it with a shared secret.", "sign with HS256, or check with the public key"
	}
	mac := hmac.New(sum, []byte(secret))
	mac.Write([]byte(t.signed))
	if !hmac.Equal(mac.Sum(nil), t.mac) {
		return "The token was signed with another secret than the one given.", "give the side that signs and the side that checks the same secret; a line end in it counts"
	}
	return "", ""
}
