package app

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/disk"
	"github.com/malgil/malgil/internal/doctor"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/holiday"
	"github.com/malgil/malgil/internal/kakaopay"
	"github.com/malgil/malgil/internal/seal"
	"github.com/malgil/malgil/internal/store"
)

// Installation returns what there is to look at with a configuration; wrong is what is wrong with it.
func (c Config) Installation(wrong error) doctor.Installation {
	shown := map[string]string{}
	var supplier []string
	for _, s := range c.Settings() {
		shown[s.Name] = s.Value
		if strings.HasPrefix(s.Name, "MALGIL_SUPPLIER_") && strings.TrimSpace(s.Value) != "" {
			supplier = append(supplier, s.Name)
		}
	}
	_, noSupplier := c.Supplier()
	return doctor.Installation{
		Wrong: wrong, Settings: shown, DB: c.DB, Redis: c.Redis, Keys: c.keysFit,
		Kakao: c.KakaoURL, KakaoPay: c.KakaoPayURL, KakaoPaySecret: c.KakaoPaySecret,
		Merchant: kakaopay.Merchant{OneTimeCID: c.KakaoPayOnceCID, RecurringCID: c.KakaoPayRepeatCID},
		Bank:     c.BankURL, BankSecret: c.BankSecret, Tax: c.TaxURL, TaxSecret: c.TaxSecret,
		Supplier: supplier, NoSupplier: noSupplier, SMTP: c.SMTP,
		Holidays: func() (holiday.Calendar, error) { return Holidays(c.Holidays) },
		Folders:  c.folders(), Now: time.Now,
	}
}

// folders are those in which this process writes.
func (c Config) folders() []disk.Folder {
	folders := []disk.Folder{{What: "temporary", Path: os.TempDir()}}
	if path, isFile := strings.CutPrefix(c.DB, "sqlite:"); isFile {
		folders = append([]disk.Folder{{What: "database", Path: filepath.Dir(path)}}, folders...)
	}
	return folders
}

// keysFit is nil when a start would find keys that open what a database holds, or may make them. It
// makes none. What a start would refuse is Invalid.
func (c Config) keysFit(ctx context.Context, db *store.Store) error {
	if c.SealKeys == "" || c.HashKey == "" {
		path := strings.TrimPrefix(c.DB, "sqlite:") + ".keys"
		keys, err := readKeys(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = c.mayMakeKeys(ctx, db, path)
		case err == nil && c.SealKeys == "":
			c.SealKeys = keys.Seal
		}
		if err != nil || c.SealKeys == "" {
			return err
		}
	}
	box, err := seal.New(c.SealKeys, rand.Reader)
	if err != nil {
		return fault.Field("MALGIL_SEAL_KEYS", "%s", fault.MessageOf(err))
	}
	return db.UseKeys(ctx, box)
}
