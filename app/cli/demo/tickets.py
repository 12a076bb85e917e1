"""The demo's ten tickets: what the founder wrote, and the real files attached."""

import msgspec


class DemoTicket(msgspec.Struct, frozen=True):
    """`worker` None lets the router choose; `due_hours` counts from the seeding."""

    title: str
    instructions: str
    worker: str | None
    files: tuple[str, ...] = ()
    fields: dict[str, str] = {}
    approval_required: bool = False
    due_hours: int = 24
    priority: int = 3


BANK = "mutasi-bank-oktober-2026.csv"
SALES = "penjualan-toko-november-pekan-3.csv"
PRICES = "daftar-harga-pemasok.csv"
INVOICE = "faktur-INV-2026-118.eml"
COMPLAINT = "keluhan-ratna.eml"
FEEDBACK = "masukan-hotel-melati.eml"

TICKETS = (
    DemoTicket(
        "Ringkas mutasi bank Oktober",
        "Jumlahkan kolom jumlah per tipe dari mutasi bank terlampir dan tulis laporannya.",
        "Raka",
        (BANK,),
        priority=2,
    ),
    DemoTicket(
        "Lima pengeluaran terbesar bulan Oktober",
        "Temukan 5 baris dengan jumlah terbesar dengan tipe DB dari mutasi bank terlampir dan tulis laporannya.",
        "Raka",
        (BANK,),
    ),
    DemoTicket(
        "Catat pendapatan pekan ini",
        "Jumlahkan kolom total dari penjualan terlampir dan catat sebagai pendapatan dari toko.",
        "Raka",
        (SALES,),
        priority=2,
    ),
    DemoTicket(
        "Bayar faktur INV-2026-118",
        "Bayar faktur INV-2026-118 dari PT Sumber Kopi Gayo sesuai surel terlampir.",
        "Raka",
        (INVOICE,),
        due_hours=6,
        priority=1,
    ),
    DemoTicket(
        "Balas keluhan Bu Ratna",
        "Baca surel terlampir lalu balas ke ratna.wulandari@contohmail.id: minta maaf dan tawarkan kirim pengganti "
        "untuk pesanan KS-20931.",
        "Sari",
        (COMPLAINT,),
        due_hours=4,
        priority=1,
    ),
    DemoTicket(
        "Catat masukan Hotel Melati",
        "Baca surel terlampir dan tulis catatan dengan isi masukannya.",
        "Sari",
        (FEEDBACK,),
    ),
    DemoTicket(
        "Bandingkan harga pemasok",
        "Cari pemasok termurah untuk tiap jenis biji dari daftar harga terlampir.",
        "Bimo",
        (PRICES,),
        {"berkas": PRICES},
    ),
    DemoTicket(
        "Kirim perbandingan harga ke pemasok",
        "Cari pemasok termurah dan kirim hasilnya ke penjualan@tanitoraja.co.id.",
        "Bimo",
        (PRICES,),
        {"berkas": PRICES, "kirim_ke": "penjualan@tanitoraja.co.id"},
    ),
    DemoTicket(
        "Penjualan per kanal",
        "Jumlahkan kolom total per kanal dari penjualan terlampir dan tulis laporannya. Ini pekerjaan keuangan.",
        None,
        (SALES,),
    ),
    DemoTicket(
        "Tutup buku Oktober",
        "Hitung rata-rata kolom jumlah per tipe dari mutasi bank terlampir dan tulis laporan penutupan.",
        "Raka",
        (BANK,),
        approval_required=True,
        due_hours=48,
    ),
)
