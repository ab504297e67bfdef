package broadcast

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
)

// Room is the type of a recipient that is a group room (그룹 채팅방). Messages to rooms cost what those
// to people do, and never share a chunk with them: Kakao takes them at another address.
const Room = "botGroupKey"

// Recipient is one person, by one of Kakao's three kinds of keys, or a group room.
type Recipient struct {
	Type       string            `json:"type"` // botUserKey, plusfriendUserKey, appUserId or [Room]
	ID         string            `json:"id"`
	Properties map[string]string `json:"properties,omitempty"` // merged into the user properties of a skill call
}

// The kinds of keys that Kakao takes, in the order in which chunks are made of them.
var recipientTypes = []string{"botUserKey", "plusfriendUserKey", "appUserId", Room}

const (
	maxRecipientID   = 200
	maxProperties    = 50
	maxPropertyBytes = 4096
)

// CanonicalType returns the name of a kind of key as this package has it, so that a million people
// share three texts; another text as it is.
func CanonicalType(name string) string {
	for _, known := range recipientTypes {
		if name == known {
			return known
		}
	}
	return name
}

// Check returns what is wrong with a recipient, nil when nothing is.
func (r Recipient) Check() *fault.Error {
	switch {
	case !slices.Contains(recipientTypes, r.Type):
		return fault.Field("type", "must be botUserKey, plusfriendUserKey, appUserId or botGroupKey")
	case r.ID == "":
		return fault.Field("id", "is empty")
	case !utf8.ValidString(r.ID):
		return fault.Field("id", "is not UTF-8")
	case strings.ContainsRune(r.ID, 0):
		return fault.Field("id", "holds a zero byte")
	case len(r.ID) > maxRecipientID:
		return fault.Field("id", "must be at most %d bytes", maxRecipientID)
	case r.Type == Room && len(r.Properties) > 0:
		return fault.Field("properties", "are of people; a room has none")
	case len(r.Properties) > maxProperties:
		return fault.Field("properties", "must be at most %d", maxProperties)
	}
	size := 0
	for key, value := range r.Properties {
		size += len(key) + len(value)
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return fault.Field("properties", "are not UTF-8")
		}
		if strings.ContainsRune(key, 0) || strings.ContainsRune(value, 0) {
			return fault.Field("properties", "hold a zero byte")
		}
	}
	if size > maxPropertyBytes {
		return fault.Field("properties", "must be at most %d bytes together", maxPropertyBytes)
	}
	return nil
}
