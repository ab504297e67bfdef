package sandbox_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestPay_pageSaysTheAmount(t *testing.T) {
	w := newWorld(t)
	for total, want := range map[int64]string{15: "15원", 1000: "1,000원", 110_000: "110,000원", 11_000_000: "11,000,000원"} {
		ready, err := w.pay.Ready(t.Context(), readyFor(once, "order-"+want, total))
		if err != nil {
			t.Fatalf("Ready() = %v", err)
		}
		page, err := http.Get(ready.RedirectPCURL)
		if err != nil {
			t.Fatal(err)
		}
		html, err := io.ReadAll(page.Body)
		page.Body.Close()
		if err != nil || !strings.Contains(string(html), ">"+want+"<") {
			t.Errorf("the page of %d does not say %q (%v)", total, want, err)
		}
	}
}
