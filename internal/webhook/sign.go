package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// The headers of a delivery.
const (
	HeaderID        = "Malgil-Delivery"  // the same at every try and replay
	HeaderEvent     = "Malgil-Event"     // one of [Known]
	HeaderTimestamp = "Malgil-Timestamp" // of the try, in Unix seconds
	HeaderSignature = "Malgil-Signature" // "v1=" and [Sign] of the time stamp and the body
)

// scheme names how a signature is made.
const scheme = "v1="

// Sign returns the signature of a body at a time stamp: HMAC-SHA256 under the secret over the time stamp, a
// point and the body, in hexadecimal behind "v1=".
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return scheme + hex.EncodeToString(mac.Sum(nil))
}

// Tolerance is how old or how far ahead a time stamp may be for [Verify]: a delivery that somebody has kept is
// not taken again.
const Tolerance = 5 * time.Minute

// Verify says why a delivery is not ours, or nil; receivers written in Go may copy it. It takes the same time
// whatever the signature is.
func Verify(secret, timestamp, signature string, body []byte, now time.Time) error {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return fault.New(fault.Refused, "the time stamp is not a number")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return fault.New(fault.Refused, "the time stamp is more than %s away", Tolerance)
	}
	if !hmac.Equal([]byte(signature), []byte(Sign(secret, timestamp, body))) {
		return fault.New(fault.Refused, "the signature does not fit")
	}
	return nil
}
