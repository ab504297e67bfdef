package seal_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/seal"
)

func key(b byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) }

func open(t *testing.T, config string) *seal.Box {
	t.Helper()
	box, err := seal.New(config, rand.Reader)
	if err != nil {
		t.Fatalf("New(%d keys) error = %v", 1+strings.Count(config, ","), err)
	}
	return box
}

func TestBox_Open(t *testing.T) {
	secret := []byte("S5A1C9D20E7F3B4810AA")
	old, rotated := open(t, key(1)), open(t, "2:"+key(2)+", 1:"+key(1))
	sealed, err := old.Seal(secret, "card", "crd_1")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, secret) {
		t.Fatalf("Seal left the secret readable")
	}
	again, err := old.Seal(secret, "card", "crd_1")
	if err != nil || bytes.Equal(again, sealed) {
		t.Errorf("Seal of the same secret twice gave the same bytes (error %v)", err)
	}
	fresh, err := rotated.Seal(secret, "card", "crd_1")
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	renamed := bytes.Clone(sealed)
	renamed[0] = 2
	tests := map[string]struct {
		box       *seal.Box
		sealed    []byte
		table, id string
		wantErr   string
	}{
		"its own row":                {box: old, sealed: sealed, table: "card", id: "crd_1"},
		"an old key after a change":  {box: rotated, sealed: sealed, table: "card", id: "crd_1"},
		"the new key after a change": {box: rotated, sealed: fresh, table: "card", id: "crd_1"},
		"another row":                {box: old, sealed: sealed, table: "card", id: "crd_2", wantErr: "does not open"},
		"another table":              {box: old, sealed: sealed, table: "bot", id: "crd_1", wantErr: "does not open"},
		"the border moved":           {box: old, sealed: sealed, table: "cardc", id: "rd_1", wantErr: "does not open"},
		"one bit changed":            {box: old, sealed: changed, table: "card", id: "crd_1", wantErr: "does not open"},
		"another key's number":       {box: rotated, sealed: renamed, table: "card", id: "crd_1", wantErr: "does not open"},
		"a key that is gone":         {box: old, sealed: fresh, table: "card", id: "crd_1", wantErr: "not configured"},
		"nothing":                    {box: old, table: "card", id: "crd_1", wantErr: "keeps no secret"},
		"cut off":                    {box: old, sealed: sealed[:5], table: "card", id: "crd_1", wantErr: "cut off"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.box.Open(tt.sealed, tt.table, tt.id)
			if tt.wantErr == "" {
				if err != nil || !bytes.Equal(got, secret) {
					t.Errorf("Open(%s %s) = %q, %v, want the secret", tt.table, tt.id, got, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("Open(%s %s) error = %v, want %q", tt.table, tt.id, err, tt.wantErr)
			}
		})
	}
}

func TestNew_refuses(t *testing.T) {
	tests := map[string]string{
		"no key":            "",
		"not base64":        "!!!",
		"16 bytes":          base64.StdEncoding.EncodeToString(make([]byte, 16)),
		"number 0":          "0:" + key(1),
		"number 256":        "256:" + key(1),
		"two of one number": "1:" + key(1) + ",1:" + key(2),
		"an empty second":   key(1) + ",",
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := seal.New(config, rand.Reader)
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("New(%s) error = %v, want an Invalid one", name, err)
			}
			if config != "" && strings.Contains(err.Error(), config) {
				t.Errorf("New(%s) error repeats the configuration", name)
			}
		})
	}
}

func TestBox_Seal_needsRandomness(t *testing.T) {
	box, err := seal.New(key(1), bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := box.Seal([]byte("x"), "card", "crd_1"); err == nil {
		t.Errorf("Seal without randomness error = %v, want one", err)
	}
}
