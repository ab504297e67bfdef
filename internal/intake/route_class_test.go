package intake

import (
	"slices"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/metrics"
)

// wantClasses are by hand: a class that goes has to go from internal/metrics/routes.go as well.
const wantClasses = "api/accounts api/apps api/audiences api/audit api/bots api/broadcasts api/cards api/charges api/checkouts api/dead-tasks " +
	"api/invoices api/me api/prices api/queues api/quote api/reconciliation api/reviews api/schedules api/tokens api/wallets api/webhooks " +
	"docs health kakao mute pay skill"

// A route that is in no class is not seen apart in metrics; a class without a route costs for nothing.
func TestRoutes_haveAClass(t *testing.T) {
	h := newHouse(t)
	var classes []string
	for _, pattern := range h.server.patterns {
		_, route, _ := strings.Cut(pattern, " ")
		class := metrics.RouteClass(route)
		if class == "other" {
			t.Errorf("%s is in no class; add what it begins with to internal/metrics/routes.go", pattern)
		}
		if !slices.Contains(classes, class) {
			classes = append(classes, class)
		}
	}
	slices.Sort(classes)
	if got := strings.Join(classes, " "); got != wantClasses {
		t.Errorf("the classes of routes are\n%s, want\n%s", got, wantClasses)
	}
}
