package intake

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"
)

// healthz says that the process runs; it asks nothing else.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"status": "ok"})
}

// checkTime is how long one check of /readyz may take.
const checkTime = 2 * time.Second

// readyz says whether everything answers that the process needs, and names what does not.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	var failing []string
	for _, check := range s.services.Checks {
		ctx, cancel := context.WithTimeout(r.Context(), checkTime)
		err := check.Ask(ctx)
		cancel()
		if err != nil {
			failing = append(failing, check.Name)
			s.log.LogAttrs(r.Context(), slog.LevelWarn, "not ready", slog.String("check", check.Name), slog.Any("err", err))
		}
	}
	if len(failing) > 0 {
		writeJSON(w, http.StatusServiceUnavailable, map[string]any{"status": "unavailable", "failing": failing})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": "ok"})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A client that is gone does not read it, and nobody else needs it.
	_ = json.NewEncoder(w).Encode(v)
}
