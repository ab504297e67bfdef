package intake

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsHTML string

var docsPage = template.Must(template.New("docs").Parse(docsHTML))

// docsGroup is a chapter of the page that describes the API.
type docsGroup struct {
	Name       string
	Operations []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary string
	Params                    []docsParam
	Body, Answer              string // JSON Schema
	Status                    string // of success
}

type docsParam struct {
	Name, In, Description string
	Required              bool
}

// docs shows the OpenAPI description as a page that loads nothing from elsewhere.
func (s *Server) docs(w http.ResponseWriter, _ *http.Request) {
	page := s.docsOnce()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	_, _ = w.Write(page) // the reader closed the page
}

func (s *Server) renderDocs() []byte {
	api := s.api.OpenAPI()
	var groups []docsGroup
	byPath := make([]string, 0, len(api.Paths))
	for path := range api.Paths {
		byPath = append(byPath, path)
	}
	slices.Sort(byPath)
	for _, path := range byPath {
		item := api.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			i := slices.IndexFunc(groups, func(g docsGroup) bool { return g.Name == op.Tags[0] })
			if i < 0 {
				i = len(groups)
				groups = append(groups, docsGroup{Name: op.Tags[0]})
			}
			groups[i].Operations = append(groups[i].Operations, describe(api.Components.Schemas, op))
		}
	}
	slices.SortFunc(groups, func(a, b docsGroup) int { return strings.Compare(a.Name, b.Name) })
	var page bytes.Buffer
	if err := docsPage.Execute(&page, groups); err != nil { // a template of ours with plain texts
		panic(err)
	}
	return page.Bytes()
}

func describe(schemas huma.Registry, op *huma.Operation) docsOperation {
	d := docsOperation{ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary}
	for _, p := range op.Parameters {
		d.Params = append(d.Params, docsParam{Name: p.Name, In: p.In, Description: p.Description, Required: p.Required})
	}
	if op.RequestBody != nil {
		d.Body = schemaText(schemas, op.RequestBody.Content)
	}
	for status, answer := range op.Responses {
		if strings.HasPrefix(status, "2") {
			d.Status, d.Answer = status, schemaText(schemas, answer.Content)
		}
	}
	return d
}

func schemaText(schemas huma.Registry, content map[string]*huma.MediaType) string {
	media := content["application/json"]
	if media == nil || media.Schema == nil {
		return ""
	}
	schema := media.Schema
	if schema.Ref != "" {
		schema = schemas.SchemaFromRef(schema.Ref)
	}
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}
