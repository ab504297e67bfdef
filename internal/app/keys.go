package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/store"
)

// Keys are the secrets that an installation must not lose.
type Keys struct {
	Seal string `json:"seal_keys"`
	Hash string `json:"hash_key"`
}

// NewKeys makes fresh keys.
func NewKeys() (Keys, error) {
	secret := make([]byte, 64)
	if _, err := rand.Read(secret); err != nil {
		return Keys{}, fmt.Errorf("make keys: %w", err)
	}
	return Keys{
		Seal: "1:" + base64.StdEncoding.EncodeToString(secret[:32]),
		Hash: base64.StdEncoding.EncodeToString(secret[32:]),
	}, nil
}

// withKeys fills in keys that are not set from the file beside a SQLite database, which is open, so
// that no other process makes one. The file is made for a database that is new; it belongs into
// the same backup. Where the database holds what only lost keys open, it is Invalid: fresh ones
// would make every secret unreadable and every user a stranger.
func (c Config) withKeys(ctx context.Context, db *store.Store) (Config, error) {
	if c.SealKeys != "" && c.HashKey != "" {
		return c, nil
	}
	path := strings.TrimPrefix(c.DB, "sqlite:") + ".keys"
	keys, err := readKeys(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := c.mayMakeKeys(ctx, db, path); err != nil {
			return c, err
		}
		keys, err = makeKeys(path)
	}
	if err != nil {
		return c, err
	}
	if c.SealKeys == "" {
		c.SealKeys = keys.Seal
	}
	if c.HashKey == "" {
		c.HashKey = keys.Hash
	}
	return c, nil
}

// mayMakeKeys refuses fresh keys in place of those that a database was used with.
func (c Config) mayMakeKeys(ctx context.Context, db *store.Store, path string) error {
	held, err := db.Held(ctx)
	if err != nil {
		return err
	}
	const remedy = "%s is missing, and this database holds %s; bring the file back from the backup of the database, or set %[3]s"
	var wrong []error
	if held.Sealed && c.SealKeys == "" {
		wrong = append(wrong, fault.New(fault.Invalid, remedy, path, "secrets that only its keys open", "MALGIL_SEAL_KEYS"))
	}
	if held.Hashed && c.HashKey == "" {
		wrong = append(wrong, fault.New(fault.Invalid, remedy, path, "users that only its keys find again", "MALGIL_HASH_KEY"))
	}
	return errors.Join(wrong...)
}

func readKeys(path string) (keys Keys, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return keys, fmt.Errorf("read the keys of this installation: %w", err)
	}
	if err := json.Unmarshal(text, &keys); err != nil || keys.Seal == "" || keys.Hash == "" {
		return keys, fault.New(fault.Invalid, "%s is damaged; bring it back from the backup of the database, or remove it when the database is new", path)
	}
	return keys, nil
}

// makeKeys writes fresh keys where there are none, and returns once they would survive a power
// failure: what they seal is stored right after.
func makeKeys(path string) (keys Keys, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("keep the keys of this installation: %w", err)
		}
	}()
	if keys, err = NewKeys(); err != nil {
		return keys, err
	}
	text, err := json.MarshalIndent(keys, "", "  ")
	if err != nil {
		return keys, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return keys, err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return keys, errors.Join(err, os.Remove(path))
	}
	return keys, syncFolder(filepath.Dir(path))
}

// syncFolder makes the name of a new file survive a power failure.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
