package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// newAPI returns the API without routes.
func (s *Server) newAPI() huma.API {
	config := huma.DefaultConfig("Malgil", s.config.Version)
	config.Info.Description = "Broadcasts, wallets, cards and bots of an operator of KakaoTalk channel chatbots. docs/api.md says the same in prose."
	config.OpenAPIPath = "/api/openapi"
	config.DocsPath = "" // a page of our own, which loads nothing from elsewhere
	config.SchemasPath = ""
	config.CreateHooks = nil
	config.RejectUnknownQueryParameters = true
	jsonFormat := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal}
	config.Formats = map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "A token of malgil token create. Each operation names the scope that it asks for."},
	}
	return humago.New(s, config)
}

// misfit is how [unmarshal] says which field cannot take its value. [fieldOf] reads it: huma passes
// on nothing of an error but its words.
const misfit = "the field %q %s"

// unmarshal reads JSON that is not nested too deep. The fields of a struct take no NUL character,
// which a database does not, and no number but those that they can hold.
func unmarshal(data []byte, v any) error {
	if depth(data) > maxDepth {
		return fmt.Errorf("is nested deeper than %d levels", maxDepth)
	}
	err := json.Unmarshal(data, v)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		if strings.HasPrefix(wrong.Value, "number") {
			return fmt.Errorf(misfit, wrong.Field, "must be an integer of at most 18 digits, without a point or an exponent")
		}
		return fmt.Errorf(misfit, wrong.Field, "does not take a "+wrong.Value)
	}
	if _, checked := v.(*any); err != nil || checked || !bytes.Contains(data, []byte(`\u0000`)) {
		return err
	}
	var all any
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	if field, has := nulIn(all); has {
		return fmt.Errorf(misfit, field, "holds a NUL character")
	}
	return nil
}

// nulIn finds a text of a value with a NUL character.
func nulIn(value any) (field string, has bool) {
	switch value := value.(type) {
	case string:
		return "", strings.ContainsRune(value, 0)
	case []any:
		for i, one := range value {
			if below, has := nulIn(one); has {
				return strings.TrimSuffix(fmt.Sprintf("[%d].%s", i, below), "."), true
			}
		}
	case map[string]any:
		for name, one := range value {
			if strings.ContainsRune(name, 0) {
				return "", true
			}
			if below, has := nulIn(one); has {
				return strings.ReplaceAll(strings.TrimSuffix(name+"."+below, "."), ".[", "["), true
			}
		}
	}
	return "", false
}

// depth returns how deep the objects and arrays of a text nest, whether or not it is JSON.
func depth(text []byte) int {
	now, most := 0, 0
	inString, escaped := false, false
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped = c == '\\'
			inString = c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			now++
			most = max(most, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return most
}

// tokenSecurity says in the description that a route wants a token.
var tokenSecurity = []map[string][]string{{"token": {}}}

// operation is a route of the API.
type operation struct {
	route   string // "POST /api/v1/bots"
	id      string // for generated clients: "create-bot"
	group   string // chapter of the description
	summary string
	status  int // of success; 200 when 0
	errors  []int
	slow    bool // has a limit of its own, see serve
}

// add registers a route whose errors are those of the rules.
func add[I, O any](s *Server, op operation, handle func(context.Context, *I) (*O, error)) {
	method, path, _ := strings.Cut(op.route, " ")
	summary, g := op.summary, routes[op.route]
	if g.scope != anyToken {
		summary += fmt.Sprintf(" (scope %s)", g.scope)
	}
	if g.right != "" {
		summary += fmt.Sprintf("; permission %s", g.right)
	}
	s.actions[op.route] = op.id
	check := bodyCheck[I](s, g)
	reading := callTime * 3 / 2 // see ReadTimeout in Serve
	if op.slow {
		reading = uploadTime
	}
	huma.Register(s.api, huma.Operation{
		OperationID: op.id, Method: method, Path: path, Summary: summary, Tags: []string{op.group},
		DefaultStatus: op.status, MaxBodyBytes: maxBody + 1, // huma refuses what reaches the number
		BodyReadTimeout: reading,
		Security:        tokenSecurity,
		Errors:          append([]int{http.StatusUnauthorized, http.StatusForbidden}, op.errors...),
	}, func(ctx context.Context, in *I) (*O, error) {
		err := check(ctx, in)
		var out *O
		if err == nil {
			out, err = handle(ctx, in)
		}
		if err != nil {
			s.logMistake(ctx, op.route, err)
			return nil, problemOf(err)
		}
		return out, nil
	})
}

// none is the input or output of a route that has none.
type none struct{}

// ByID is the input of a route about one thing.
type ByID struct {
	ID string `path:"id" maxLength:"64"`
}

// body is an answer in JSON.
type body[T any] struct{ Body T }

func reply[T any](v T) *body[T] { return &body[T]{Body: v} }

// created is an answer with the address of what was made.
type created[T any] struct {
	Location string `header:"Location"`
	Body     T
}

// canonical writes JSON with sorted fields and without white space, so that the same order in
// another spelling is the same. What is not JSON stays as it is.
func canonical(text []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return text
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return plain
}
