// Package seal encrypts secrets that a row keeps: card keys, one-time tokens, REST API keys.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/malgil/malgil/internal/fault"
)

// keyBytes is the length of an AES-256 key.
const keyBytes = 32

// Box seals with its first key and opens with any of its keys. It is safe for concurrent use
// when its source of randomness is.
//
// A sealed secret is one byte that names the key, 12 bytes of nonce, then the AES-256-GCM
// ciphertext with its tag. It is bound to the row that keeps it: moved to another row, or to
// another table, it does not open.
type Box struct {
	current byte
	keys    map[byte]cipher.AEAD
	random  io.Reader
}

// New returns a box for keys as they stand in a configuration: "<number>:<32 bytes in base64>",
// separated by commas, the one that seals first; a single key may leave its number out and is
// number 1. Numbers are 1 to 255. To change the key, put the new one first under a number of its
// own and keep the old one behind it until no row is sealed with it.
//
// Pass [crypto/rand.Reader] as random outside tests. A configuration that cannot be read is an
// Invalid error, which does not repeat the keys.
func New(config string, random io.Reader) (*Box, error) {
	box := &Box{keys: make(map[byte]cipher.AEAD), random: random}
	for _, entry := range strings.Split(config, ",") {
		number, aead, err := parse(strings.TrimSpace(entry))
		if err != nil {
			return nil, err
		}
		if _, taken := box.keys[number]; taken {
			return nil, fault.Field("MALGIL_SEAL_KEYS", "names two keys with number %d", number)
		}
		if len(box.keys) == 0 {
			box.current = number
		}
		box.keys[number] = aead
	}
	return box, nil
}

func parse(entry string) (byte, cipher.AEAD, error) {
	number := uint64(1)
	if text, rest, numbered := strings.Cut(entry, ":"); numbered {
		var err error
		if number, err = strconv.ParseUint(text, 10, 8); err != nil || number == 0 {
			return 0, nil, fault.Field("MALGIL_SEAL_KEYS", "a key's number must be 1 to 255")
		}
		entry = rest
	}
	key, err := base64.StdEncoding.DecodeString(entry)
	if err != nil || len(key) != keyBytes {
		return 0, nil, fault.Field("MALGIL_SEAL_KEYS", "must be %d random bytes in base64 (openssl rand -base64 %d)", keyBytes, keyBytes)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return 0, nil, fmt.Errorf("make the cipher of key %d: %w", number, err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return 0, nil, fmt.Errorf("make the cipher of key %d: %w", number, err)
	}
	return byte(number), aead, nil
}

// Seal encrypts a secret for one row of one table.
func (b *Box) Seal(plain []byte, table, id string) ([]byte, error) {
	aead := b.keys[b.current]
	sealed := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(plain)+aead.Overhead())
	sealed[0] = b.current
	if _, err := io.ReadFull(b.random, sealed[1:]); err != nil {
		return nil, fmt.Errorf("draw a nonce: %w", err)
	}
	return aead.Seal(sealed, sealed[1:], plain, bound(b.current, table, id)), nil
}

// Open decrypts what [Box.Seal] made for the same table and row. The error says whose secret it
// is, not what it holds.
func (b *Box) Open(sealed []byte, table, id string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, fmt.Errorf("%s %s keeps no secret", table, id)
	}
	aead, known := b.keys[sealed[0]]
	if !known {
		return nil, fmt.Errorf("the secret of %s %s is sealed with key %d, which is not configured", table, id, sealed[0])
	}
	if len(sealed) < 1+aead.NonceSize() {
		return nil, fmt.Errorf("the secret of %s %s is cut off", table, id)
	}
	nonce, text := sealed[1:1+aead.NonceSize()], sealed[1+aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, text, bound(sealed[0], table, id))
	if err != nil {
		return nil, fmt.Errorf("the secret of %s %s does not open: it was changed, moved, or sealed with another key", table, id)
	}
	return plain, nil
}

// bound is what a secret is bound to; lengths keep "ab"+"c" apart from "a"+"bc".
func bound(key byte, table, id string) []byte {
	return fmt.Appendf(nil, "malgil:%d:%d:%s:%d:%s", key, len(table), table, len(id), id)
}
