package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
)

// unreadable are the flags whose values cannot be read. They keep their defaults, so that whatever
// else is wrong is found too, and all of it told together.
type unreadable map[*kong.Flag]*fault.Error

// options are how values are read.
func (u unreadable) options() []kong.Option {
	whole := u.read("a whole number", func(text string, into reflect.Value) error {
		n, err := strconv.ParseInt(text, 10, into.Type().Bits())
		if err == nil {
			into.SetInt(n)
		}
		return err
	})
	duration := u.read("a duration such as 90s or 10m", func(text string, into reflect.Value) error {
		d, err := time.ParseDuration(text)
		into.SetInt(int64(d))
		return err
	})
	moment := u.read("a time such as 2026-11-24T10:00:00+09:00, or 2026-11-24 10:00 as it is in Korea", func(text string, into reflect.Value) error {
		t, err := parseMoment(text)
		into.Set(reflect.ValueOf(t))
		return err
	})
	return []kong.Option{
		kong.KindMapper(reflect.Int, whole), kong.KindMapper(reflect.Int64, whole),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), duration), kong.TypeMapper(reflect.TypeFor[time.Time](), moment),
		kong.Resolvers(kong.ResolverFunc(u.secretFile)),
	}
}

// read returns how values of one kind are read; what says which there are.
func (u unreadable) read(what string, parse func(text string, into reflect.Value) error) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto("value", &text); err != nil {
			return err
		}
		if parse(strings.TrimSpace(text), target) == nil {
			return nil
		}
		flag := ctx.Value.Flag
		if flag == nil {
			return fmt.Errorf("must be %s, not %q", what, text)
		}
		name := "--" + flag.Name
		if i := slices.IndexFunc(flag.Envs, func(env string) bool { return os.Getenv(env) == text }); i >= 0 {
			name = flag.Envs[i]
		}
		u[flag] = fault.Field(name, "must be %s, not %q", what, text)
		if flag.HasDefault {
			return parse(flag.Default, target)
		}
		target.SetZero()
		return nil
	}
}

// secretFile reads a setting from the file that <NAME>_FILE names, where <NAME> itself is not set.
func (u unreadable) secretFile(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		path := os.Getenv(name + "_FILE")
		if path == "" || os.Getenv(name) != "" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			u[flag] = fault.Field(name+"_FILE", "cannot be read: %v", errors.Unwrap(err))
			return nil, nil
		}
		return strings.TrimSpace(string(text)), nil
	}
	return nil, nil
}

// checked is a command that knows what is wrong with its settings before it runs.
type checked interface{ check() error }

// wrong returns what is wrong with a command line because of values that cannot be read, nil when
// they can: these values, and everything else that the command finds wrong with its settings.
func (u unreadable) wrong(parsed *kong.Context) error {
	var wrong []error
	told := map[string]bool{}
	for _, flag := range parsed.Flags() {
		if e := u[flag]; e != nil {
			wrong = append(wrong, e)
			for _, env := range flag.Envs {
				told[env] = true
			}
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	if command, ok := parsed.Selected().Target.Interface().(checked); ok {
		if all, ok := command.check().(interface{ Unwrap() []error }); ok {
			for _, err := range all.Unwrap() {
				var e *fault.Error
				if !errors.As(err, &e) || !told[e.Field] {
					wrong = append(wrong, err)
				}
			}
		}
	}
	return errors.Join(wrong...)
}

// koreanTimes are how a time may be given without its zone: it is Korea's.
var koreanTimes = []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"}

// parseMoment reads a time as RFC 3339 has it, or as it is in Korea, also as commands print it.
func parseMoment(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	for _, layout := range koreanTimes {
		if err == nil {
			break
		}
		t, err = time.ParseInLocation(layout, strings.TrimSuffix(text, " KST"), clock.Seoul)
	}
	return t, err
}
