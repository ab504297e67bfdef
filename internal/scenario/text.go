package scenario

import (
	"reflect"
	"strconv"
	"strings"
)

// mapTexts returns a copy of a value in which every text has become what do makes of it; path says
// where the text stands, in the words of JSON, with the beginning alone of a long key of a map: a path is made
// for every text. Names and keys of maps stay.
func mapTexts[T any](value T, path string, do func(path, text string) string) T {
	return mapped(reflect.ValueOf(&value).Elem(), path, do).Interface().(T)
}

// maxKey is how much of a key a path shows, in bytes.
const maxKey = 100

func shortKey(key string) string {
	if len(key) <= maxKey {
		return key
	}
	return strings.ToValidUTF8(key[:maxKey], "")
}

func mapped(v reflect.Value, path string, do func(path, text string) string) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		return reflect.ValueOf(do(path, v.String())).Convert(v.Type())
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		copied := reflect.New(v.Type().Elem())
		copied.Elem().Set(mapped(v.Elem(), path, do))
		return copied
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		return mapped(v.Elem(), path, do)
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		copied := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			copied.Index(i).Set(mapped(v.Index(i), path+"["+strconv.Itoa(i)+"]", do))
		}
		return copied
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		copied := reflect.MakeMapWithSize(v.Type(), v.Len())
		for each := v.MapRange(); each.Next(); {
			copied.SetMapIndex(each.Key(), mapped(each.Value(), path+"."+shortKey(each.Key().String()), do))
		}
		return copied
	case reflect.Struct:
		copied := reflect.New(v.Type()).Elem()
		copied.Set(v)
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() {
				continue
			}
			at := path
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
				at += "." + name
			}
			copied.Field(i).Set(mapped(v.Field(i), at, do))
		}
		return copied
	}
	return v
}
