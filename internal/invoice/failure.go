package invoice

// The words for why an invoice is not issued. The first four are a carrier's; it may have others. The
// names are stored.
const (
	CodeClosed      = "CLOSED_BUSINESS"
	CodeSuspended   = "SUSPENDED_BUSINESS"
	CodeBadNumber   = "BAD_NUMBER"
	CodeBadEmail    = "BAD_EMAIL"
	CodeUnreachable = "CARRIER_UNREACHABLE" // until it was given up
	CodeMismatch    = "ISSUED_OTHERWISE"    // it is issued, but not as it was asked for
	CodeLate        = "LATE"                // it was closed after its legal date; a person decides
	CodeNegative    = "NEGATIVE"            // more was taken back in the month than was used
	CodeNoCarrier   = "NO_CARRIER"          // it was closed where none is set up
	CodeRejected    = "CARRIER_REJECTED"    // the carrier does not take the request as it is
	CodeUnconfirmed = "UNCONFIRMED"         // it is not known whether it is issued; look-ups go on
	CodeNotIssued   = "NOT_ISSUED"          // so a person found out
	CodeSettled     = "SETTLED"             // a person said that none will be issued here
)

// failures are the codes whose words are ours. ours says that its reader can do nothing about it.
var failures = map[string]struct {
	korean string
	ours   bool
}{
	CodeClosed:      {"폐업한 사업자등록번호입니다.", false},
	CodeSuspended:   {"휴업 중인 사업자등록번호입니다.", false},
	CodeBadNumber:   {"국세청에 등록되지 않은 사업자등록번호입니다.", false},
	CodeBadEmail:    {"세금계산서를 받을 이메일 주소가 올바르지 않습니다.", false},
	CodeUnreachable: {"세금계산서 발행 서비스에 연결하지 못했습니다.", true},
	CodeMismatch:    {"요청한 것과 다른 내용으로 발행되어 수정세금계산서가 필요합니다.", true},
	CodeLate:        {"법정 발행 기한이 지난 뒤에 마감되어 확인이 필요합니다.", true},
	CodeNegative:    {"되돌려 드린 금액이 이용 금액보다 많아 확인이 필요합니다.", true},
	CodeNoCarrier:   {"세금계산서 발행 서비스가 설정되어 있지 않습니다.", true},
	CodeRejected:    {"세금계산서 발행 서비스가 요청을 받아들이지 않았습니다.", true},
	CodeUnconfirmed: {"발행되었는지 확인하고 있습니다.", true},
	CodeNotIssued:   {"발행되지 않은 것으로 확인되었습니다.", true},
	CodeSettled:     {"담당자가 확인하여 종결했습니다.", true},
}

// Failure returns why an invoice is not issued, in words for its reader. What else a carrier says is for
// the operator and stays with the attempt.
func Failure(code string) string {
	if f, known := failures[code]; known {
		return f.korean
	}
	return "국세청에서 세금계산서 발행을 거절했습니다."
}

// Ours reports whether a code says that the recipient can do nothing about it.
func Ours(code string) bool { return failures[code].ours }
