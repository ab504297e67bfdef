package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/malgil/malgil/internal/bank"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/kakaopay"
	"github.com/malgil/malgil/internal/mail"
	"github.com/malgil/malgil/internal/tax"
)

// noOrder is an order that nobody has made.
const noOrder = "malgil-doctor"

// peerChecks look at the services outside.
func (i Installation) peerChecks() []check {
	return []check{
		{"kakao", i.kakao},
		{"kakaopay", i.kakaoPay},
		{"bank", i.bank},
		{"tax carrier", i.taxCarrier},
		{"smtp", i.smtp},
	}
}

// kakao tells whether the Event API is reached. Its keys are those of bots, see keysOfBots.
func (i Installation) kakao(ctx context.Context) Result {
	const setting = "MALGIL_KAKAO_URL"
	if i.wrong(setting) {
		return seeConfiguration(setting)
	}
	shown := i.Settings[setting]
	peer, err := kakao.NewPeer(i.Kakao, checkTime)
	if err != nil {
		return problem("Correct "+setting+".", "%s: %s", shown, said(err))
	}
	defer peer.Close()
	// A look-up without a key is refused, in the words of the API: another program at this address has others.
	answer, err := peer.Do(ctx, http.MethodGet, "/v1/tasks/"+noTask, http.Header{}, nil)
	switch {
	case err != nil:
		return unreached(setting, shown, err)
	case answer.Status < 500 && !json.Valid(answer.Body) && (len(answer.Body) > 0 || answer.Status != http.StatusUnauthorized && answer.Status != http.StatusForbidden):
		return problem("See whether "+setting+" is the whole address of the service.", "something else seems to be at %s: it answers %d, and not as the Event API does", shown, answer.Status)
	case answer.Status >= 500:
		return warning("Try again; if it stays so, ask whoever runs the service.", "%s answers %d", shown, answer.Status)
	}
	return ok("%s answers", shown)
}

// unreached is the result of a request without an answer.
func unreached(setting, shown string, err error) Result {
	var none *kakao.NoAnswer
	if errors.As(err, &none) {
		err = none.Err
		if none.Sent {
			return warning("Try again, and see whether the service has an outage or a proxy in between keeps the answer.", "%s is reached and does not answer: %s", shown, said(err))
		}
	}
	return problem("Let this machine reach it: look at "+setting+", its name in DNS, the firewall and HTTPS_PROXY.", "%s is not reached: %s", shown, said(err))
}

func (i Installation) kakaoPay(ctx context.Context) Result {
	const setting, secret = "MALGIL_KAKAOPAY_URL", "MALGIL_KAKAOPAY_SECRET"
	for _, name := range []string{setting, secret} {
		if i.wrong(name) {
			return seeConfiguration(name)
		}
	}
	if i.KakaoPaySecret == "" {
		return skipped("%s is not set: this role charges no cards", secret)
	}
	client, err := kakaopay.New(i.KakaoPay, i.KakaoPaySecret, checkTime)
	if err != nil {
		return problem("Correct "+setting+" or "+secret+".", "%s", said(err))
	}
	defer client.Close()
	gateway := kakaopay.NewGateway(client, i.Merchant)
	l := lookUp{setting: setting, shown: i.Settings[setting], key: secret + ", MALGIL_KAKAOPAY_CID and MALGIL_KAKAOPAY_RECURRING_CID"}
	for _, purpose := range []billing.Purpose{billing.OneTime, billing.Recurring} {
		_, err := gateway.Order(ctx, purpose, noOrder)
		if r := l.judge(err); r.State != OK {
			return r
		}
	}
	return l.judge(nil)
}

func (i Installation) bank(ctx context.Context) Result {
	const setting, secret = "MALGIL_BANK_URL", "MALGIL_BANK_SECRET"
	for _, name := range []string{setting, secret} {
		if i.wrong(name) {
			return seeConfiguration(name)
		}
	}
	if i.Bank == "" {
		return ok("none: wallets pay by card only")
	}
	client, err := bank.New(i.Bank, i.BankSecret, checkTime)
	if err != nil {
		return problem("Correct "+setting+" or "+secret+".", "%s", said(err))
	}
	defer client.Close()
	_, err = client.Account(ctx, noOrder)
	return lookUp{setting: setting, shown: i.Settings[setting], key: secret}.judge(err)
}

func (i Installation) taxCarrier(ctx context.Context) Result {
	const setting, secret = "MALGIL_TAX_URL", "MALGIL_TAX_SECRET"
	for _, name := range []string{setting, secret} {
		if i.wrong(name) {
			return seeConfiguration(name)
		}
	}
	if i.Tax == "" {
		return ok("none: no tax invoices are issued")
	}
	client, err := tax.New(i.Tax, i.TaxSecret, checkTime)
	if err != nil {
		return problem("Correct "+setting+" or "+secret+".", "%s", said(err))
	}
	defer client.Close()
	_, err = client.Issue(ctx, noOrder)
	return lookUp{setting: setting, shown: i.Settings[setting], key: secret}.judge(err)
}

// lookUp is a question for an order that there is not. It moves nothing, and shows whether our key is
// taken.
type lookUp struct {
	setting, shown string
	key            string // settings that are wrong when it is not taken
}

// judge says what an answer means.
func (l lookUp) judge(err error) Result {
	var e *billing.GatewayError
	switch {
	case err == nil, errors.Is(err, billing.ErrNoOrder):
		return ok("%s answers and takes our key", l.shown)
	case !errors.As(err, &e):
		return problem("Look at "+l.setting+".", "%s: %s", l.shown, said(err))
	}
	var none *kakao.NoAnswer
	status := statusOf(e)
	switch {
	case errors.As(err, &none):
		return unreached(l.setting, l.shown, none)
	case e.Class == billing.BadRequest:
		return ok("%s answers and takes our key", l.shown)
	case e.Class == billing.BadConfig:
		return problem("Correct "+l.key+"; nobody is charged or served with the wrong one.", "%s refuses our key: %s", l.shown, said(err))
	case e.Class == billing.QuotaUsedUp, status == http.StatusTooManyRequests:
		return warning("Wait, or ask for a larger quota.", "%s answers that there were too many calls: %s", l.shown, said(err))
	case status >= 400 && status < 500:
		return problem("See whether "+l.setting+" is the whole address of the service.", "something else seems to be at %s: %s", l.shown, said(err))
	}
	return warning("Try again; if it stays so, ask whoever runs the service.", "%s answers in a way that tells nothing about our key: %s", l.shown, said(err))
}

// statusOf returns the HTTP status of an answer, 0 where it is not known.
func statusOf(e *billing.GatewayError) int {
	var pay *kakaopay.Error
	if errors.As(e, &pay) {
		return pay.Status
	}
	status, _ := strconv.Atoi(e.Code) // 0 for a code in words
	return status
}

// smtp signs in to the mail server and leaves again.
func (i Installation) smtp(ctx context.Context) Result {
	const setting = "MALGIL_SMTP"
	if i.wrong(setting) {
		return seeConfiguration(setting)
	}
	if i.SMTP == "" {
		return skipped("%s is not set: this role sends no mail", setting)
	}
	config, err := mail.ParseConfig(i.SMTP)
	if err != nil {
		return problem("Correct "+setting+".", "%s", said(err))
	}
	if err := mail.Probe(ctx, config); err != nil {
		return problem("Look at host, port, tls, user and password in "+setting+"; mails wait and are tried again meanwhile.", "%s", said(err))
	}
	how := map[mail.Security]string{mail.STARTTLS: "over STARTTLS", mail.TLS: "over TLS", mail.Clear: "without TLS, on this machine"}[config.Security]
	who := "without signing in"
	if config.User != "" {
		who = "and signs us in"
	}
	return ok("%s:%d takes us %s, %s", config.Host, config.Port, how, who)
}
