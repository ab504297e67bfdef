package app

import (
	"fmt"
	"net/url"
	"reflect"
)

// Setting is one setting as an operator knows it.
type Setting struct {
	Name  string // environment variable
	Value string // "***" for a secret that is set
	Help  string
}

// Settings lists the configuration in force.
func (c Config) Settings() []Setting {
	var all []Setting
	value, fields := reflect.ValueOf(c), reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		tag := fields.Field(i).Tag
		name := tag.Get("env")
		if name == "" {
			continue
		}
		text := fmt.Sprint(value.Field(i).Interface())
		if _, secret := tag.Lookup("secret"); secret && text != "" {
			text = "***"
		} else if u, err := url.Parse(text); err == nil && u.User != nil {
			u.User = url.User("***")
			text = u.String()
		}
		all = append(all, Setting{Name: name, Value: text, Help: tag.Get("help")})
	}
	return all
}
