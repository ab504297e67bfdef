// Package intake is the HTTP face: the API of the operator's programs, what Kakao and payers'
// browsers call, and health. It checks who calls and what comes in, calls a service and says what
// came of it; it decides nothing about messages or money.
package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/trace"
)

// What a request may be and how long it may take.
const (
	maxHeader   = 16 << 10
	maxBody     = 256 << 10
	maxUpload   = 512 << 20
	maxDepth    = 32
	callTime    = 40 * time.Second // one call of the API; a card gateway gives up after 15 s
	uploadTime  = time.Hour
	uploadPause = time.Minute // longest pause within an upload
	shutdown    = 30 * time.Second
)

// Config is what an operator sets.
type Config struct {
	PublicURL string         // where Kakao and payers reach this installation, without a slash at the end
	Supplier  invoice.Party  // 공급자 of its tax invoices
	Version   string         // of the program, for the description of the API
	Content   scenario.Rules // that folders of bots are held to
	Tracer    *trace.Tracer  // nil for no traces
	Log       *slog.Logger
	Now       func() time.Time
}

// Server answers HTTP. It is safe for concurrent use.
type Server struct {
	config   Config
	services Services
	log      *slog.Logger
	mux      *http.ServeMux
	api      huma.API
	patterns []string          // of every route, in the order in which they were made
	actions  map[string]string // what the audit log calls a route's calls, by pattern
	docsOnce func() []byte

	spools    chan struct{} // files being written
	workbooks chan struct{} // workbooks being read
	studies   chan struct{} // of what was heard
	imports   chan struct{} // contents of bots being read and stored

	feeds     *feeds
	heartbeat time.Duration // of streams
}

// New returns a server of the services; what it lacks is [Server.Handler]'s or [Server.Serve]'s
// to use. It panics when a route cannot be registered, which no configuration can cause.
func New(config Config, services Services) *Server {
	s := &Server{config: config, services: services, log: config.Log, mux: http.NewServeMux(), actions: map[string]string{},
		spools: make(chan struct{}, spoolsAtOnce), workbooks: make(chan struct{}, workbooksAtOnce), studies: make(chan struct{}, 1), imports: make(chan struct{}, importsAtOnce), heartbeat: heartbeat}
	s.feeds = newFeeds(s.log, s.progressOf)
	s.config.PublicURL = strings.TrimRight(config.PublicURL, "/")
	if s.services.Observe == nil {
		s.services.Observe = func(string, string, int, time.Duration) {}
	}
	s.api = s.newAPI()
	s.addAccounts()
	s.addTokens()
	s.addWallets()
	s.addWalletChanges()
	s.addGrants()
	s.addHistory()
	s.addCards()
	s.addReviews()
	s.addReconcile()
	s.addWhy()
	s.addRefunds()
	s.addInvoices()
	s.addBots()
	s.addVersions()
	s.addChannels()
	s.addPlugins()
	s.addPurges()
	s.addBroadcasts()
	s.addEvents()
	s.addAudiences()
	s.addPeopleLists()
	s.addSchedules()
	s.addEventAPI()
	s.addPrices()
	s.addMails()
	s.addWebhooks()
	s.addAudit()
	s.addQueues()
	s.docsOnce = sync.OnceValue(s.renderDocs)
	s.addUploads()
	s.HandleFunc("GET /api/docs", s.docs)
	s.HandleFunc("GET /pay/{checkout}/{key}", s.payReturn)
	s.HandleFunc("GET /pay/{checkout}/{key}/{how}", s.payReturn)
	s.HandleFunc("GET /mute/{mail}/{token}", s.showMute)
	s.HandleFunc("POST /mute/{mail}/{token}", s.mute)
	s.HandleFunc("GET /healthz", s.healthz)
	s.HandleFunc("GET /readyz", s.readyz)
	if services.Skill != nil {
		s.HandleFunc(skillRoute, services.Skill.ServeHTTP)
	}
	return s
}

// HandleFunc adds a route, one of an API behind its guard; it is how huma adds its routes too.
func (s *Server) HandleFunc(pattern string, handle func(http.ResponseWriter, *http.Request)) {
	s.patterns = append(s.patterns, pattern)
	if ofAPI(pattern) {
		handle = s.guarded(pattern, handle)
	}
	s.mux.HandleFunc(pattern, legible(handle, s.refusal(pattern)))
}

// refusal returns how a route says no.
func (s *Server) refusal(pattern string) func(http.ResponseWriter, *Problem) {
	if ofKakao(pattern) {
		return s.refuseAsKakao(pattern)
	}
	return writeProblem
}

// legible passes on requests whose address is text. Of others a database would make an error: what
// no id can be is not there, and a query is refused by name.
func legible(handle http.HandlerFunc, refuse func(http.ResponseWriter, *Problem)) http.HandlerFunc {
	is := func(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }
	return func(w http.ResponseWriter, r *http.Request) {
		if !is(r.URL.Path) {
			refuse(w, nothingHere())
			return
		}
		for name, values := range r.URL.Query() {
			for _, text := range append(values, name) {
				if !is(text) {
					field := "query." + strings.ToValidUTF8(strings.ReplaceAll(name, "\x00", ""), "")
					refuse(w, problemOf(fault.Field(field, "is not text")))
					return
				}
			}
		}
		handle(w, r)
	}
}

// ofAPI reports whether a pattern is of an API, ours or Kakao's, whose routes have a guard.
func ofAPI(pattern string) bool {
	_, route, _ := strings.Cut(pattern, " ")
	return strings.HasPrefix(route, "/api/v1/") || ofKakao(pattern)
}

// ofKakao reports whether a pattern is one of Kakao's own addresses.
func ofKakao(pattern string) bool {
	_, route, _ := strings.Cut(pattern, " ")
	return strings.HasPrefix(route, "/v1/") || strings.HasPrefix(route, "/v2/")
}

// ServeHTTP finds the route and answers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Handler returns everything that the server answers.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		answer := &answer{ResponseWriter: w}
		_, pattern := s.mux.Handler(r)
		traced := func(int) {}
		if !ofAPI(pattern) { // those of an API begin theirs behind the guard
			r, traced = s.traced(r, pattern, "")
		}
		defer func() {
			if p := recover(); p != nil {
				s.panicked(r.Context(), pattern, p)
				if answer.status == 0 {
					s.refusal(pattern)(answer, &Problem{Status: http.StatusInternalServerError, Title: "Internal Server Error", Code: "INTERNAL"})
				}
			}
			traced(answer.status)
			_, route, _ := strings.Cut(pattern, " ")
			took := time.Since(start)
			if pattern == eventsRoute && answer.status == http.StatusOK {
				took = answer.at.Sub(start) // how long somebody watched says nothing about the server
			}
			s.services.Observe(route, r.Method, answer.status, took)
		}()
		s.serve(answer, r, pattern)
	})
}

// traced begins the span of a request, below that of its caller where he may say what it belongs to. It is ended with
// the status that was answered.
func (s *Server) traced(r *http.Request, pattern, caller string) (*http.Request, func(status int)) {
	switch pattern {
	case "", "GET /healthz", "GET /readyz", eventsRoute:
		return r, func(int) {}
	}
	if s.config.Tracer == nil {
		return r, func(int) {}
	}
	ctx, end := s.config.Tracer.Begin(r.Context(), trace.Served, caller, pattern)
	return r.WithContext(ctx), func(status int) {
		trace.Note(ctx, slog.Int("http.response.status_code", status))
		var err error
		if status >= http.StatusInternalServerError {
			err = errors.New(http.StatusText(status))
		}
		end(err)
	}
}

func (s *Server) panicked(ctx context.Context, pattern string, p any) {
	s.log.LogAttrs(ctx, slog.LevelError, "request panicked",
		slog.String("route", pattern), slog.String("err", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
}

// serve is the way of every request: does its route exist; then the route, behind its guard.
func (s *Server) serve(w *answer, r *http.Request, pattern string) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if pattern == "" {
		s.unrouted(w, r)
		return
	}
	limit := callTime
	switch pattern {
	case uploadRoute, audienceRoute, importRefusalsRoute, importConsentsRoute, importVersionRoute:
		limit = uploadTime
	case fromAudienceRoute:
		limit = uploadTime
		beSlow(w, limit)
	case statementRoute, resultsRoute, exportRefusalsRoute, exportConsentsRoute:
		limit = spoolTime
		beSlow(w, limit)
	case eventsRoute:
		limit = streamTime
	}
	if pattern == skillRoute { // which keeps its own time
		s.mux.ServeHTTP(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	if ofAPI(pattern) {
		w.Header().Set("Cache-Control", "no-store")
	}
	s.mux.ServeHTTP(w, r.WithContext(ctx))
}

// unrouted answers what has no route: under /api with the methods that there are, else as if
// nothing were there.
func (s *Server) unrouted(w *answer, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		probe := &headerProbe{header: http.Header{}}
		handler, _ := s.mux.Handler(r)
		handler.ServeHTTP(probe, r)
		if allow := probe.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			writeProblem(w, problem(http.StatusMethodNotAllowed, "use one of: "+allow))
			return
		}
	}
	notFound(w)
}

// headerProbe keeps the header of an answer and drops the rest.
type headerProbe struct{ header http.Header }

func (p *headerProbe) Header() http.Header         { return p.header }
func (p *headerProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *headerProbe) WriteHeader(int)             {}

// answer remembers the status of an answer, and when it began.
type answer struct {
	http.ResponseWriter
	status int
	at     time.Time
}

// answered is the status that was sent, 0 for none as yet.
func (a *answer) answered() int {
	if a == nil { // a test that stands before the server
		return 0
	}
	return a.status
}

// WriteHeader sends the status; only the first counts.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status, a.at = status, time.Now()
		a.ResponseWriter.WriteHeader(status)
	}
}

// Write sends a part of the body.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status, a.at = http.StatusOK, time.Now()
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Serve answers on a listener until ctx ends, then finishes the requests that are under way, for
// at most 30 s. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	base := context.WithoutCancel(ctx) // what is under way when ctx ends is finished
	server := &http.Server{
		Handler:           s.Handler(),
		MaxHeaderBytes:    maxHeader,
		ReadHeaderTimeout: 5 * time.Second,
		// The read deadline of a connection ends the context of the request as well, so it is
		// longer than a call may take.
		ReadTimeout:  callTime + 20*time.Second,
		WriteTimeout: callTime + 20*time.Second,
		IdleTimeout:  2 * time.Minute,
		ErrorLog:     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // broken connections of clients
		BaseContext:  func(net.Listener) context.Context { return base },
	}
	server.RegisterOnShutdown(s.feeds.end)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(base, shutdown)
	defer cancel()
	err := server.Shutdown(patience)
	if err != nil {
		err = fmt.Errorf("stop HTTP: %w", errors.Join(err, server.Close()))
	}
	<-ended // ErrServerClosed
	return err
}
