package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// A signer signs requests as Standard Webhooks 1.0.0 has it, with every secret of
// an endpoint: while secrets change, the receiver accepts either.
type signer struct {
	secrets []Secret
}

// newSigner reads secrets, separated by white space, each "whsec_" and the base64
// of 24 to 64 bytes.
func newSigner(text string) (*signer, error) {
	s := &signer{}
	for word := range strings.FieldsSeq(text) {
		encoded, ok := strings.CutPrefix(word, "whsec_")
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(key) < 24 || len(key) > 64 {
			return nil, errors.New(`each webhook secret must be "whsec_" and the base64 of 24 to 64 bytes`)
		}
		s.secrets = append(s.secrets, NewSecret(string(key)))
	}
	if len(s.secrets) == 0 {
		return nil, errors.New("a webhook needs a secret")
	}
	return s, nil
}

// sign is the header webhook-signature: one signature for each secret.
func (s *signer) sign(id string, at time.Time, body []byte) string {
	signatures := make([]string, len(s.secrets))
	for i, secret := range s.secrets {
		mac := hmac.New(sha256.New, []byte(secret.Reveal()))
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " ")
}
