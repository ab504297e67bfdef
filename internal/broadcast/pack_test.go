package broadcast

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// Packed people are exactly what the standard library makes of them.
func TestAppendPeople(t *testing.T) {
	texts := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z가-힣0-9 "<>&\\\x{2028}\x{0}]{0,12}`), rapid.SampledFrom([]string{"\xff", "가\xff", "", "한빛"}))
	rapid.Check(t, func(t *rapid.T) {
		people := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Recipient {
			return Recipient{Type: texts.Draw(t, "type"), ID: texts.Draw(t, "id"), Properties: rapid.MapOfN(texts, texts, 0, 4).Draw(t, "properties")}
		}), 0, 3).Draw(t, "people")
		want, err := json.Marshal(people)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendPeople(nil, people); string(got) != string(want) {
			t.Errorf("appendPeople = %s, want %s", got, want)
		}
	})
}
