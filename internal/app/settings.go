package app

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// Setting is one setting as an operator knows it.
type Setting struct {
	Name  string // environment variable
	Value string // "***" for a secret that is set
	Help  string
}

// hidden is shown instead of a secret.
const hidden = "***"

// Settings lists the configuration in force.
func (c Config) Settings() []Setting {
	var all []Setting
	value, fields := reflect.ValueOf(c), reflect.TypeFor[Config]()
	for _, field := range reflect.VisibleFields(fields) {
		name := field.Tag.Get("env")
		if name == "" {
			continue
		}
		text := fmt.Sprint(value.FieldByIndex(field.Index).Interface())
		if _, secret := field.Tag.Lookup("secret"); secret && text != "" {
			text = hidden
		} else if _, address := field.Tag.Lookup("url"); address {
			text = withoutSecrets(text)
		}
		all = append(all, Setting{Name: name, Value: text, Help: field.Tag.Get("help")})
	}
	return all
}

// withoutSecrets hides user and password of an address, in front of the host and in the query. Of
// an address that cannot be read nobody knows where they are: nothing of it is shown.
func withoutSecrets(address string) string {
	if address == "" || strings.HasPrefix(address, "sqlite:") {
		return address
	}
	u, err := url.Parse(address)
	scheme, rest, found := strings.Cut(address, "://")
	if err != nil || !found || u.Host == "" || u.Fragment != "" {
		return hidden
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	if strings.Contains(tail, "@") {
		return hidden // a password with a / or ? that is not escaped
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = hidden + authority[at:]
	}
	if path, query, found := strings.Cut(tail, "?"); found {
		tail = path + "?" + queryWithoutSecrets(query)
	}
	return scheme + "://" + authority + tail
}

// secretParameters are parameters of PostgreSQL's addresses that hold secrets.
var secretParameters = []string{"password", "sslpassword"}

// queryWithoutSecrets keeps the order of the parameters, and how they are written.
func queryWithoutSecrets(query string) string {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		raw, _, found := strings.Cut(part, "=")
		name, err := url.QueryUnescape(raw)
		switch {
		case err != nil || !found:
			parts[i] = hidden
		case slices.Contains(secretParameters, strings.ToLower(name)):
			parts[i] = raw + "=" + hidden
		}
	}
	return strings.Join(parts, "&")
}
