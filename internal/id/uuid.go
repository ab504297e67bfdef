package id

import (
	"encoding/hex"
	"strings"

	"github.com/oklog/ulid/v2"
)

// ForUUID returns an identifier of [Source.Next] with those bits set that make its UUID one of
// version 7 (RFC 9562): a time in milliseconds and 74 random bits. What is no such identifier stays
// as it is.
func ForUUID(id string) string {
	prefix, bits, ok := parse(id)
	if !ok {
		return id
	}
	bits[6] = bits[6]&0x0f | 0x70
	bits[8] = bits[8]&0x3f | 0x80
	return prefix + "_" + bits.String()
}

// UUID writes an identifier for whoever takes UUIDs only: the same 128 bits in another spelling, from
// which [OfUUID] leads back. It is empty for what is no identifier of [Source.Next].
func UUID(id string) string {
	_, bits, ok := parse(id)
	if !ok {
		return ""
	}
	text := hex.EncodeToString(bits[:])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

// OfUUID returns the identifier that [UUID] has written; ok is false for any other text.
func OfUUID(prefix, uuid string) (id string, ok bool) {
	bits, err := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	if err != nil || len(bits) != len(ulid.ULID{}) {
		return "", false
	}
	id = prefix + "_" + ulid.ULID(bits).String()
	return id, UUID(id) == strings.ToLower(uuid)
}

func parse(id string) (prefix string, bits ulid.ULID, ok bool) {
	prefix, text, _ := strings.Cut(id, "_")
	bits, err := ulid.ParseStrict(text)
	return prefix, bits, err == nil
}
