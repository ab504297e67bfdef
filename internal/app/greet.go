package app

import (
	"context"
	"log/slog"

	"github.com/malgil/malgil/internal/access"
)

// greet tells whoever has started an intake where to go on: where the API is described, and, while
// there is no token, how the first is made.
func (a *App) greet(ctx context.Context, config Config, log *slog.Logger) {
	if a.IntakeURL == "" {
		return
	}
	log.Info("the API is described at its docs", "docs", a.IntakeURL+"/api/docs")
	tokens, err := a.parts.store.Tokens(ctx, access.Everything, "", 1)
	if err != nil || len(tokens) > 0 {
		return // whoever calls the API is told of a database that is away
	}
	how := "malgil token create NAME --first" // with MALGIL_DB as it is set here: an address holds a password
	if a.parts.store.Embedded() {
		how = "stop this process, then: " + how + " --db " + config.DB
	}
	log.Info("there is no API token yet", "next", how)
}
