package apiclient_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/apiclient"
)

func TestCall(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/echo":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"said":"`+strings.Join([]string{
				r.Method, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), r.Header.Get("Idempotency-Key"), strings.ReplaceAll(string(body), `"`, `'`),
			}, "|")+`"}`)
		case "/problem":
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, `{"status":422,"code":"INVALID","detail":"name is missing","errors":[{"location":"body.line[3]","message":"is empty","line":3,"column":"id"}]}`)
		case "/proxy":
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, `<html>bad gateway</html>`)
		case "/nothing":
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer server.Close()
	client := apiclient.New(server.URL+"/", "mlg_x")

	calls := map[string]struct {
		in      any
		options []apiclient.Option
		want    string
	}{
		"without a body": {want: "POST|Bearer mlg_x|||"},
		"JSON":           {in: map[string]int{"n": 1}, want: "POST|Bearer mlg_x|application/json||{'n':1}"},
		"CSV":            {in: strings.NewReader("id,u1"), want: "POST|Bearer mlg_x|text/csv||id,u1"},
		"with a key":     {in: 1, options: []apiclient.Option{apiclient.IdempotencyKey("k")}, want: "POST|Bearer mlg_x|application/json|k|1"},
	}
	for name, tt := range calls {
		var got struct{ Said string }
		if err := client.Call(t.Context(), "POST", "/echo", tt.in, &got, tt.options...); err != nil || got.Said != tt.want {
			t.Errorf("%s: Call() sends %q, %v, want %q", name, got.Said, err, tt.want)
		}
	}
	if err := client.Call(t.Context(), "DELETE", "/nothing", nil, nil); err != nil {
		t.Errorf("Call() of an empty answer = %v, want none", err)
	}
	var file strings.Builder
	if err := client.Call(t.Context(), "GET", "/echo", nil, &file); err != nil || file.String() != `{"said":"GET|Bearer mlg_x|||"}` {
		t.Errorf("Call() into a writer = %q, %v, want the answer as it is", file.String(), err)
	}
	file.Reset()
	if err := client.Call(t.Context(), "GET", "/proxy", nil, &file); err == nil || file.Len() > 0 {
		t.Errorf("Call() of a problem into a writer = %v with %q written, want an error and nothing", err, file.String())
	}
	var p *apiclient.Problem
	if err := client.Call(t.Context(), "GET", "/problem", nil, nil); !errors.As(err, &p) || p.Code != "INVALID" || p.Error() != "name is missing" || p.Errors[0].Line != 3 {
		t.Errorf("Call() of a problem = %v, want it as it was told", err)
	}
	if err := client.Call(t.Context(), "GET", "/proxy", nil, nil); !errors.As(err, &p) || p.Status != 502 || p.Error() != "the server answers 502 Bad Gateway" {
		t.Errorf("Call() of an answer that is not ours = %v, want its status", err)
	}
	server.Close()
	if err := client.Call(t.Context(), "GET", "/echo", nil, nil); err == nil || errors.As(err, &p) && p.Status == 0 {
		t.Errorf("Call() with nobody there = %v, want an error that is no problem of the API", err)
	}
}
