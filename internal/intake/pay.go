package intake

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"strconv"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
)

//go:embed pay.html
var payHTML string

var payPage = template.Must(template.New("pay").Parse(payHTML))

// payText is what a payer reads who is back from KakaoPay.
type payText struct {
	Title, Text string
	Amount      string // "110,000원", or empty
}

// payReturn takes the payer's browser back: /pay/{checkout}/{key} after paying, cancel or fail
// below it otherwise. It may be loaded again.
func (s *Server) payReturn(w http.ResponseWriter, r *http.Request) {
	id, key, how := r.PathValue("checkout"), r.PathValue("key"), r.PathValue("how")
	var checkout billing.Checkout
	var err error
	switch how {
	case "":
		var result billing.Result
		checkout, result, err = s.services.Billing.Return(r.Context(), id, key, r.URL.Query().Get("pg_token"))
		s.ran(r.Context(), id, result)
	case "cancel", "fail":
		checkout, err = s.services.Billing.TurnBack(r.Context(), id, key, how == "fail")
	default:
		notFound(w)
		return
	}
	status, text := http.StatusOK, payText{}
	switch kind := fault.KindOf(err); {
	case err == nil:
		text = textOf(checkout)
	case kind == fault.NotFound:
		status, text = http.StatusNotFound, payText{Title: "결제를 찾을 수 없습니다", Text: "주소가 올바르지 않습니다. 결제를 시작한 화면에서 다시 시도해 주세요."}
	case kind == fault.Invalid:
		status, text = http.StatusUnprocessableEntity, payText{Title: "결제를 확인할 수 없습니다", Text: "카카오페이에서 받은 정보가 부족합니다. 결제를 시작한 화면에서 다시 시도해 주세요."}
	default:
		s.logMistake(r.Context(), "GET /pay/{checkout}/{key}/"+how, err)
		status, text = http.StatusServiceUnavailable, payText{Title: "결제를 확인하고 있습니다", Text: "지금은 결과를 알 수 없습니다. 다시 결제하지 마시고 잠시 후 이 페이지를 새로 고쳐 주세요."}
	}
	s.writePay(w, status, text)
}

func (s *Server) writePay(w http.ResponseWriter, status int, text payText) {
	var page bytes.Buffer
	if err := payPage.Execute(&page, text); err != nil { // a template of ours with plain texts
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the key
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // the payer closed the page
}

// textOf says in Korean how a checkout stands.
func textOf(c billing.Checkout) payText {
	topUp := c.Kind == billing.CheckoutTopUp
	switch c.State {
	case billing.CheckoutDone:
		if topUp {
			return payText{Title: "충전이 완료되었습니다", Text: "유상캐시가 월렛에 충전되었습니다. 이 창을 닫으셔도 됩니다.", Amount: won(int64(c.Supply + c.VAT))}
		}
		return payText{Title: "카드가 등록되었습니다", Text: "자동결제 카드로 등록되었습니다. 이 창을 닫으셔도 됩니다."}
	case billing.CheckoutReady, billing.CheckoutApproving:
		return payText{Title: "결제를 확인하고 있습니다", Text: "결과가 곧 반영됩니다. 다시 결제하지 마시고, 이 페이지를 새로 고쳐 확인해 주세요."}
	case billing.CheckoutReview:
		return payText{Title: "담당자가 확인하고 있습니다", Text: "결제 결과를 담당자가 확인한 뒤 안내해 드립니다. 다시 결제하지 마세요."}
	case billing.CheckoutCancelled:
		if topUp {
			return payText{Title: "충전을 취소했습니다", Text: "결제되지 않았습니다. 다시 충전하려면 처음부터 시작해 주세요."}
		}
		return payText{Title: "카드 등록을 취소했습니다", Text: "카드가 등록되지 않았습니다. 다시 등록하려면 처음부터 시작해 주세요."}
	case billing.CheckoutFailed:
		switch {
		case c.Reason == billing.ReasonFull:
			return payText{Title: "카드를 등록하지 못했습니다", Text: "계정에 등록할 수 있는 카드는 최대 10장입니다. 사용하지 않는 카드를 삭제한 뒤 다시 시도해 주세요."}
		case topUp:
			return payText{Title: "충전하지 못했습니다", Text: "결제가 승인되지 않았습니다. 다른 결제수단으로 다시 시도해 주세요."}
		}
		return payText{Title: "카드를 등록하지 못했습니다", Text: "카카오페이에서 등록이 완료되지 않았습니다. 다른 카드로 다시 시도해 주세요."}
	}
	return payText{Title: "결제를 확인하고 있습니다", Text: "잠시 후 이 페이지를 새로 고쳐 주세요."}
}

// won writes an amount as people do: "110,000원".
func won(amount int64) string {
	digits := strconv.FormatInt(amount, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits + "원"
}
